"""Reviews: why an operator must look at a payment. Several may be open at once; each is opened and closed by itself.

The payment's row must be locked.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app import ids
from app.events.catalogue import EventType
from app.models.payment import Payment
from app.models.payment_review import PaymentReview, ReviewGroup, ReviewReason
from app.principal import EventActor, actor_text
from app.services.payments.recording import record_payment_event


def _of(group: ReviewGroup) -> frozenset[ReviewReason]:
    return frozenset(reason for reason in ReviewReason if reason.group is group)


SETTLED_BY_ANSWER: Final = _of(ReviewGroup.ANSWER)
SETTLED_BY_REFUND: Final = _of(ReviewGroup.REFUND)
UNMATCHED_MONEY: Final = _of(ReviewGroup.UNMATCHED_MONEY)


def open_review(
    session: Session, payment: Payment, reason: ReviewReason, *, source: EventActor, now: datetime
) -> None:
    """Nothing happens when it is open already."""
    if reason in payment.open_reviews:
        return
    payment.reviews.append(
        PaymentReview(
            id=ids.uuid7(),
            payment_id=payment.id,
            reason=reason,
            opened_at=now,
            opened_by=actor_text(source),
            closed_at=None,
            closed_by=None,
        )
    )
    payment.updated_at = now
    record_payment_event(session, EventType.PAYMENT_REVIEW, payment, source=source, now=now)


def close_reviews(
    payment: Payment, reasons: Collection[ReviewReason], *, source: EventActor, now: datetime
) -> None:
    """Close those of the reasons that are open."""
    for review in payment.reviews:
        if review.closed_at is None and review.reason in reasons:
            review.closed_at, review.closed_by = now, actor_text(source)
            payment.updated_at = now
