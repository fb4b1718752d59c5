"""Where payments, attempts and refunds may go from where they are: tables, not arrival order.

A result that the table does not allow is late or repeated: it is recorded and changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Final

from app.models.payment import Payment, PaymentAttempt, Refund

PAYMENT: Final = MappingProxyType(
    {
        "pending": frozenset({"processing", "completed", "failed", "cancelled"}),
        "processing": frozenset({"completed", "failed", "cancelled"}),
        "completed": frozenset({"partially_refunded", "refunded", "reversed"}),
        # Back again: a refund that did not reach the customer.
        "partially_refunded": frozenset({"completed", "refunded", "reversed"}),
        "refunded": frozenset({"completed", "partially_refunded"}),
        "reversed": frozenset(),
        # Only an operator's word, about money that came late (`flask payments accept`).
        "failed": frozenset({"completed"}),
        "cancelled": frozenset({"completed"}),
    }
)

ATTEMPT: Final = MappingProxyType(
    {
        "created": frozenset({"sending", "failed", "cancelled"}),
        "sending": frozenset({"unknown", "pending", "succeeded", "failed", "cancelled"}),
        "unknown": frozenset({"sending", "pending", "succeeded", "failed", "cancelled"}),
        "pending": frozenset({"succeeded", "failed", "cancelled"}),
        "succeeded": frozenset({"reversed"}),
        "failed": frozenset({"late"}),
        "cancelled": frozenset({"late"}),
        "late": frozenset({"succeeded", "reversed"}),
        "reversed": frozenset(),
    }
)

REFUND: Final = MappingProxyType(
    {
        "created": frozenset({"sending", "failed"}),
        "sending": frozenset({"unknown", "pending", "completed", "failed"}),
        "unknown": frozenset({"sending", "pending", "completed", "failed"}),
        "pending": frozenset({"completed", "failed"}),
        # Only refund_results.mark_returned: the money did not reach the customer.
        "completed": frozenset({"failed"}),
        "failed": frozenset(),
    }
)

OPEN_ATTEMPTS: Final = ("created", "sending", "unknown", "pending")
COLLECTED: Final = ("succeeded", "late")
"""States of an attempt whose money can go back."""
OPEN_REFUNDS: Final = ("created", "sending", "unknown", "pending")
FINAL_PAYMENTS: Final = frozenset(
    {"completed", "partially_refunded", "refunded", "reversed", "failed", "cancelled"}
)
REFUNDABLE: Final = frozenset({"completed", "partially_refunded"})


def move_payment(payment: Payment, status: str, *, now: datetime) -> bool:
    """Change the status where the table allows it."""
    if status not in PAYMENT[payment.status]:
        return False
    payment.status = status
    payment.updated_at = now
    return True


def move_attempt(attempt: PaymentAttempt, state: str, *, now: datetime) -> bool:
    """Change the state where the table allows it."""
    if state not in ATTEMPT[attempt.state]:
        return False
    attempt.state = state
    attempt.updated_at = now
    return True


def move_refund(refund: Refund, state: str, *, now: datetime) -> bool:
    """Change the state where the table allows it."""
    if state not in REFUND[refund.state]:
        return False
    refund.state, refund.updated_at = state, now
    return True
