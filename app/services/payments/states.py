"""Where payments, attempts, refunds and disputes may go from where they are: tables, not arrival order.

A transition that the table does not allow comes from a late or repeated outcome: it changes nothing. Only this module
assigns a status or a state.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Final

from app.models.dispute import Dispute
from app.models.dispute import DisputeState as D
from app.models.payment import AttemptState as A
from app.models.payment import Payment, PaymentAttempt, Refund
from app.models.payment import PaymentStatus as P
from app.models.payment import RefundState as R

PAYMENT: Final = MappingProxyType(
    {
        P.PENDING: frozenset({P.PROCESSING, P.COMPLETED, P.FAILED, P.CANCELLED}),
        P.PROCESSING: frozenset({P.COMPLETED, P.FAILED, P.CANCELLED}),
        P.COMPLETED: frozenset({P.PARTIALLY_REFUNDED, P.REFUNDED, P.REVERSED}),
        # Back to completed: a refund that was returned.
        P.PARTIALLY_REFUNDED: frozenset({P.COMPLETED, P.REFUNDED, P.REVERSED}),
        P.REFUNDED: frozenset({P.COMPLETED, P.PARTIALLY_REFUNDED}),
        P.REVERSED: frozenset(),
        # Only an operator's decision about money that came late (`flask payments accept-unmatched`).
        P.FAILED: frozenset({P.COMPLETED}),
        P.CANCELLED: frozenset({P.COMPLETED}),
    }
)

ATTEMPT: Final = MappingProxyType(
    {
        A.CREATED: frozenset({A.SENDING, A.FAILED, A.CANCELLED}),
        A.SENDING: frozenset({A.UNKNOWN, A.PENDING, A.SUCCEEDED, A.FAILED, A.CANCELLED}),
        A.UNKNOWN: frozenset({A.SENDING, A.PENDING, A.SUCCEEDED, A.FAILED, A.CANCELLED}),
        A.PENDING: frozenset({A.SUCCEEDED, A.FAILED, A.CANCELLED}),
        A.SUCCEEDED: frozenset({A.REVERSED}),
        A.FAILED: frozenset({A.LATE}),
        A.CANCELLED: frozenset({A.LATE}),
        A.LATE: frozenset({A.SUCCEEDED, A.REVERSED}),
        A.REVERSED: frozenset(),
    }
)

REFUND: Final = MappingProxyType(
    {
        R.CREATED: frozenset({R.SENDING, R.FAILED}),
        # Back to created: nothing was sent (refunds/follow_up.py).
        R.SENDING: frozenset({R.CREATED, R.UNKNOWN, R.PENDING, R.COMPLETED, R.FAILED}),
        R.UNKNOWN: frozenset({R.SENDING, R.PENDING, R.COMPLETED, R.FAILED}),
        R.PENDING: frozenset({R.COMPLETED, R.FAILED}),
        # Only refunds/outcomes.mark_returned: the money did not reach the customer.
        R.COMPLETED: frozenset({R.FAILED}),
        R.FAILED: frozenset(),
    }
)

DISPUTE: Final = MappingProxyType(
    {
        D.INQUIRY: frozenset({D.OPEN, D.WON, D.LOST, D.CLOSED}),
        D.OPEN: frozenset({D.WON, D.LOST, D.CLOSED}),
        # Neither opens again: an older answer of the provider would hold money for ever.
        D.CLOSED: frozenset({D.LOST}),
        D.WON: frozenset(),
        # The bank decided otherwise later: the provider has reinstated the money.
        D.LOST: frozenset({D.WON}),
    }
)

OPEN_ATTEMPTS: Final = (A.CREATED, A.SENDING, A.UNKNOWN, A.PENDING)
LIVE_ATTEMPTS: Final = (*OPEN_ATTEMPTS, A.SUCCEEDED)
"""At most one attempt of a payment is in one of these (index payment_attempts_live): the one that the payment shows."""
UNPAID_ATTEMPTS: Final = (A.FAILED, A.CANCELLED)
"""It ended without the money, which may still arrive: late."""
COLLECTED: Final = (A.SUCCEEDED, A.LATE)
"""States of an attempt whose money can be refunded or reversed."""
OPEN_REFUNDS: Final = (R.CREATED, R.SENDING, R.UNKNOWN, R.PENDING)
OPEN_DISPUTES: Final = (D.INQUIRY, D.OPEN)
FINAL_PAYMENTS: Final = frozenset(
    {P.COMPLETED, P.PARTIALLY_REFUNDED, P.REFUNDED, P.REVERSED, P.FAILED, P.CANCELLED}
)
REFUNDABLE: Final = frozenset({P.COMPLETED, P.PARTIALLY_REFUNDED})


def move_payment(payment: Payment, status: P, *, now: datetime) -> bool:
    """Change the status where the table allows it."""
    if status not in PAYMENT[payment.status]:
        return False
    payment.status, payment.updated_at = status, now
    return True


def move_attempt(attempt: PaymentAttempt, state: A, *, now: datetime) -> bool:
    """Change the state where the table allows it."""
    if state not in ATTEMPT[attempt.state]:
        return False
    attempt.state, attempt.updated_at = state, now
    return True


def move_refund(refund: Refund, state: R, *, now: datetime) -> bool:
    """Change the state where the table allows it."""
    if state not in REFUND[refund.state]:
        return False
    refund.state, refund.updated_at = state, now
    return True


def move_dispute(dispute: Dispute, state: D, *, now: datetime) -> bool:
    """Change the state where the table allows it."""
    if state not in DISPUTE[dispute.state]:
        return False
    dispute.state, dispute.updated_at = state, now
    dispute.closed_at = None if state in OPEN_DISPUTES else now
    return True
