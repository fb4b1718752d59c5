"""Reviews: why an operator must look at a withdrawal."""

from __future__ import annotations

from collections.abc import Collection

from app import ids
from app.events.catalogue import EventType
from app.models.withdrawal import WithdrawalReview, WithdrawalReviewReason
from app.principal import actor_text
from app.services.withdrawals.recording import record
from app.services.withdrawals.rows import WithdrawalRows, WithdrawalWrites
from app.services.write_sets.rows import new_row


def open_reasons(rows: WithdrawalRows) -> list[WithdrawalReviewReason]:
    return [review.reason for review in rows.reviews if review.closed_at is None]


def open_review(writes: WithdrawalWrites, reason: WithdrawalReviewReason) -> None:
    """Nothing happens when it is open already."""
    rows = writes.rows
    if reason in open_reasons(rows):
        return
    review = new_row(
        WithdrawalReview,
        id=ids.uuid7(),
        withdrawal_id=rows.withdrawal.id,
        reason=reason,
        opened_at=writes.now,
        opened_by=actor_text(writes.actor),
    )
    rows.reviews.append(review)
    rows.withdrawal.updated_at = writes.now
    record(writes, EventType.WITHDRAWAL_REVIEW, {"reason": reason.value})


def close_reviews(writes: WithdrawalWrites, reasons: Collection[WithdrawalReviewReason]) -> None:
    """Close those of the reasons that are open."""
    for review in writes.rows.reviews:
        if review.closed_at is None and review.reason in reasons:
            review.closed_at, review.closed_by = writes.now, actor_text(writes.actor)
            writes.rows.withdrawal.updated_at = writes.now
