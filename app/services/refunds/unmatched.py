"""Refunds of money in suspense: an operator decides them, or an order that is paid already (orders/settle.py)."""

from __future__ import annotations

import uuid

from app.models.payment import PaymentAttempt
from app.models.payment_review import ReviewReason
from app.money import Money
from app.principal import actor_text
from app.services.payments import outcomes as payment_outcomes
from app.services.payments import reviews
from app.services.payments.rows import PaymentWrites
from app.services.refunds.create import insert_refund


def return_unmatched(
    writes: PaymentWrites, refund_id: uuid.UUID, attempt: PaymentAttempt, collected: Money
) -> None:
    """Refund all that an attempt has in suspense; its job sends the refund. The write set's actor is named as the reason."""
    insert_refund(
        writes,
        refund_id,
        attempt,
        amount=collected,
        reason=f"Returned by {actor_text(writes.actor)}",
        is_sending=False,
        is_from_suspense=True,
    )
    payment_outcomes.close_returned(writes, attempt)
    reviews.close_reviews(writes, reviews.UNMATCHED_MONEY)
    reviews.open_review(writes, ReviewReason.RETURN_IN_PROGRESS)
