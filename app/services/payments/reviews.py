"""Payments that need a person."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from app.events import catalogue
from app.models.payment import Payment
from app.services.payments.recording import record_payment_event

SETTLED_BY_ANSWER: Final = frozenset({"outcome_unknown", "nothing_to_ask_by", "cannot_be_asked"})
"""Reasons for a review that a provider's answer settles."""


SETTLED_BY_REFUND: Final = frozenset({"refund_unknown", "refund_stuck", "refund_amount_mismatch"})
"""Reasons that a refund's end settles."""


UNMATCHED_MONEY: Final = frozenset({"late_success", "amount_mismatch", "being_returned"})
"""Reasons that stand while money of the payment waits in suspense; nothing else is shown meanwhile."""


MANUAL_ONLY: Final = frozenset(
    {"dispute", "refunded_at_provider", "refund_came_back", "reversed_after_refund", "reference_taken"}
)
"""Reasons that nothing but a person settles. Those that settle themselves do not take their place: jobs raise them
again as long as they are true."""


def review(session: Session, payment: Payment, why: str, *, source: str, now: datetime) -> None:
    """Put the payment before a person. The same reason again changes nothing; money in suspense comes first, then what
    only a person settles."""
    is_waiting = payment.review in MANUAL_ONLY and why in SETTLED_BY_ANSWER | SETTLED_BY_REFUND
    if (
        payment.review == why
        or is_waiting
        or (payment.review in UNMATCHED_MONEY and why not in UNMATCHED_MONEY)
    ):
        return
    payment.review = why
    payment.updated_at = now
    record_payment_event(session, catalogue.PAYMENT_REVIEW, payment, source=source, now=now)


def close_review(payment: Payment, reasons: Collection[str], *, now: datetime) -> None:
    """The payment need not be looked at any more for any of these reasons."""
    if payment.review in reasons:
        payment.review = None
        payment.updated_at = now
