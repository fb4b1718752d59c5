"""What payouts post to the ledger. A positive amount raises what the account's owner has.

The gross leaves the tenant's wallet: the net to the provider's clearing account, which owes us less, the rest to the fees.
"""

from __future__ import annotations

from typing import Final

from app.ledger.chart import ChartAccount, platform_account, tenant_wallet
from app.models.account import AccountKind
from app.models.withdrawal import Payout, Withdrawal
from app.services.withdrawals.rows import WithdrawalWrites

PAYOUT: Final = "payout"
PAYOUT_RETURN: Final = "payout_return"
"""Kinds of entries. A `withdrawal` is that of a user's wallet (wallets/direct_funding.py)."""


def hold(writes: WithdrawalWrites) -> None:
    """Set the gross aside under the withdrawal's id. The ledger refuses what the tenant does not have."""
    withdrawal = writes.rows.withdrawal
    writes.hold(withdrawal.id, tenant_wallet(withdrawal.tenant_id, withdrawal.currency), withdrawal.amount)


def release(writes: WithdrawalWrites) -> None:
    """Nothing was paid: the gross is available to the tenant again."""
    writes.release(writes.rows.withdrawal.id)


def post(writes: WithdrawalWrites, payout: Payout) -> None:
    """The destination has the net; the hold is used up."""
    withdrawal = writes.rows.withdrawal
    writes.post(
        PAYOUT,
        ref_id=payout.id,
        currency=payout.currency,
        amounts=_amounts(withdrawal, payout, sign=1),
        capture=withdrawal.id,
    )


def post_late(writes: WithdrawalWrites, payout: Payout) -> None:
    """The destination has the net although the hold was released: what the tenant does not have any more, it owes."""
    withdrawal = writes.rows.withdrawal
    amounts = _amounts(withdrawal, payout, sign=1)
    wallet = tenant_wallet(withdrawal.tenant_id, withdrawal.currency)
    there = writes.take_what_is_there(wallet, withdrawal.amount)
    del amounts[wallet]
    if there:
        amounts[wallet] = -there
    if owed := withdrawal.amount - there:
        debt = platform_account(AccountKind.RECEIVABLE, str(withdrawal.tenant_id), withdrawal.currency)
        amounts[debt] = -owed
    writes.post(PAYOUT, ref_id=payout.id, currency=payout.currency, amounts=amounts)


def post_return(writes: WithdrawalWrites, payout: Payout) -> None:
    """A completed payout did not reach the destination: the tenant has the gross again, the fee included."""
    amounts = _amounts(writes.rows.withdrawal, payout, sign=-1)
    writes.post(PAYOUT_RETURN, ref_id=payout.id, currency=payout.currency, amounts=amounts)


def _amounts(withdrawal: Withdrawal, payout: Payout, *, sign: int) -> dict[ChartAccount, int]:
    currency = withdrawal.currency
    amounts = {
        tenant_wallet(withdrawal.tenant_id, currency): -sign * withdrawal.amount,
        platform_account(AccountKind.CLEARING, payout.provider, currency): sign * payout.amount,
    }
    if withdrawal.fee:
        amounts[platform_account(AccountKind.FEES, "", currency)] = sign * withdrawal.fee
    return amounts
