"""What a tenant has in each currency, of one moment."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.ledger.chart import ChartAccount, platform_account, tenant_direct, tenant_suspense, tenant_wallet
from app.models.account import AccountBalance, AccountKind
from app.models.tenant import Tenant
from app.money import EXPONENTS, Money, exponent_of
from app.principal import Principal
from app.unit_of_work import reading


@dataclass(frozen=True, slots=True)
class WalletBalance:
    """held: of `balance`, for refunds and withdrawals on their way. in_suspense: collected, and waits for an operator. owed: to the
    platform. direct: collected on provider accounts of the tenant's own, and never paid out."""

    balance: Money
    held: Money
    in_suspense: Money
    owed: Money
    direct: Money

    @property
    def currency(self) -> str:
        return self.balance.currency

    @property
    def available(self) -> Money:
        return self.balance - self.held


def balances(reader: Principal, currency: str | None = None) -> tuple[WalletBalance, list[WalletBalance]]:
    """The balance in `currency` (None: the tenant's), and in every currency that the tenant has had something in.

    Raises UnsupportedCurrency.
    """
    tenant_id = reader.tenant_id
    with reading() as session:
        wanted = currency or session.get_one(Tenant, tenant_id).currency
        exponent_of(wanted)
        rows = _rows(session, [account for code in EXPONENTS for account in _accounts(tenant_id, code)])
    found = {
        code: _balance(tenant_id, code, rows)
        for code in EXPONENTS
        if any(account.public_id in rows for account in _accounts(tenant_id, code))
    }
    return found.get(wanted) or _balance(tenant_id, wanted, {}), list(found.values())


def _accounts(tenant_id: uuid.UUID, currency: str) -> tuple[ChartAccount, ...]:
    return (
        tenant_wallet(tenant_id, currency),
        tenant_suspense(tenant_id, currency),
        platform_account(AccountKind.RECEIVABLE, str(tenant_id), currency),
        tenant_direct(tenant_id, currency),
    )


def _rows(session: Session, accounts: Sequence[ChartAccount]) -> Mapping[str, tuple[int, int]]:
    """Public id → (balance, held), of those accounts that are open."""
    wanted = select(AccountBalance.public_id, AccountBalance.balance, AccountBalance.held)
    wanted = wanted.where(AccountBalance.public_id.in_([account.public_id for account in accounts]))
    return {row.public_id: (int(row.balance), int(row.held)) for row in session.execute(wanted)}


def _balance(tenant_id: uuid.UUID, currency: str, rows: Mapping[str, tuple[int, int]]) -> WalletBalance:
    wallet, suspense, receivable, direct = (
        rows.get(account.public_id, (0, 0)) for account in _accounts(tenant_id, currency)
    )
    # A receivable has the sign reversed.
    amounts = (wallet[0], wallet[1], suspense[0], -receivable[0], direct[0])
    return WalletBalance(*(Money(amount, currency) for amount in amounts))
