"""Reviews: why an operator must look at a payment. Several may be open at once; each is opened and closed by itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from app import ids
from app.events.catalogue import EventType
from app.models.payment_review import PaymentReview, ReviewGroup, ReviewReason
from app.principal import actor_text
from app.services.payments.recording import record_payment_event
from app.services.payments.rows import PaymentWrites
from app.services.write_sets.rows import new_row


def _of(group: ReviewGroup) -> frozenset[ReviewReason]:
    return frozenset(reason for reason in ReviewReason if reason.group is group)


SETTLED_BY_ANSWER: Final = _of(ReviewGroup.ANSWER)
SETTLED_BY_REFUND: Final = _of(ReviewGroup.REFUND)
UNMATCHED_MONEY: Final = _of(ReviewGroup.UNMATCHED_MONEY)


def open_review(writes: PaymentWrites, reason: ReviewReason) -> None:
    """Nothing happens when it is open already."""
    payment = writes.rows.payment
    if reason in payment.open_reviews:
        return
    payment.reviews.append(
        new_row(
            PaymentReview,
            id=ids.uuid7(),
            payment_id=payment.id,
            reason=reason,
            opened_at=writes.now,
            opened_by=actor_text(writes.actor),
            closed_at=None,
            closed_by=None,
        )
    )
    payment.updated_at = writes.now
    record_payment_event(writes, EventType.PAYMENT_REVIEW)


def close_reviews(writes: PaymentWrites, reasons: Collection[ReviewReason]) -> None:
    """Close those of the reasons that are open."""
    payment = writes.rows.payment
    for review in payment.reviews:
        if review.closed_at is None and review.reason in reasons:
            review.closed_at, review.closed_by = writes.now, actor_text(writes.actor)
            payment.updated_at = writes.now
