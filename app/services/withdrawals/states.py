"""Where withdrawals and payouts may go from where they are: tables, not arrival order (payments/states.py).

Only this module assigns their states.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType
from typing import Final

from app.models.withdrawal import Payout, Withdrawal
from app.models.withdrawal import PayoutState as P
from app.models.withdrawal import WithdrawalState as W

WITHDRAWAL: Final = MappingProxyType(
    {
        W.PENDING: frozenset({W.PROCESSING, W.CANCELED}),
        W.PROCESSING: frozenset({W.COMPLETED, W.FAILED}),
        # Only payouts/outcomes.mark_returned: the money did not reach the destination.
        W.COMPLETED: frozenset({W.FAILED}),
        # Only an operator: the provider had paid all the same.
        W.FAILED: frozenset({W.COMPLETED}),
        W.CANCELED: frozenset(),
    }
)

PAYOUT: Final = MappingProxyType(
    {
        P.CREATED: frozenset({P.SENDING, P.FAILED}),
        # Back to created: nothing was sent (payouts/follow_up.py).
        P.SENDING: frozenset({P.CREATED, P.UNKNOWN, P.PENDING, P.COMPLETED, P.FAILED}),
        P.UNKNOWN: frozenset({P.PENDING, P.COMPLETED, P.FAILED}),
        P.PENDING: frozenset({P.COMPLETED, P.FAILED}),
        P.COMPLETED: frozenset({P.FAILED}),
        P.FAILED: frozenset({P.COMPLETED}),
    }
)

OPEN_PAYOUTS: Final = (P.CREATED, P.SENDING, P.UNKNOWN, P.PENDING)
FINAL_WITHDRAWALS: Final = frozenset({W.COMPLETED, W.FAILED, W.CANCELED})


def move_withdrawal(withdrawal: Withdrawal, status: W, *, now: datetime) -> bool:
    """Change the status where the table allows it."""
    if status not in WITHDRAWAL[withdrawal.status]:
        return False
    withdrawal.status, withdrawal.updated_at = status, now
    return True


def move_payout(payout: Payout, state: P, *, now: datetime) -> bool:
    """Change the state where the table allows it."""
    if state not in PAYOUT[payout.state]:
        return False
    payout.state, payout.updated_at = state, now
    return True
