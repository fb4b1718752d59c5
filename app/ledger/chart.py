"""The chart of accounts: accounts of tenants and of the platform. Each is opened by the first operation that needs it, once
however many try."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock, ledger
from app.models.account import Account, AccountBalance, AccountId, AccountKind
from app.money import Money
from app.unit_of_work import reading


@dataclass(frozen=True, slots=True)
class TenantBalance:
    """What a tenant has in one currency, and how much of it is held (refunds and withdrawals on their way)."""

    balance: Money
    held: Money

    @property
    def available(self) -> Money:
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class ChartAccount:
    """An account of the chart, whether or not it was opened yet. is_floored: it can never go below zero."""

    public_id: str
    kind: AccountKind
    currency: str
    is_floored: bool
    tenant_id: uuid.UUID | None = None


def tenant_wallet(tenant_id: uuid.UUID, currency: str) -> ChartAccount:
    """The tenant's account in `currency`."""
    public_id = f"tenant:{tenant_id}:{currency}"
    return ChartAccount(public_id, AccountKind.TENANT_WALLET, currency, True, tenant_id)


def tenant_direct(tenant_id: uuid.UUID, currency: str) -> ChartAccount:
    """What the tenant collected on provider accounts of its own: it has that money already, so it is never paid out."""
    public_id = f"tenant-direct:{tenant_id}:{currency}"
    return ChartAccount(public_id, AccountKind.TENANT_DIRECT, currency, True, tenant_id)


def tenant_suspense(tenant_id: uuid.UUID, currency: str) -> ChartAccount:
    """Money that was collected for payments of the tenant and cannot be posted to its wallet."""
    return platform_account(AccountKind.SUSPENSE, str(tenant_id), currency, tenant_id=tenant_id)


def platform_account(
    kind: AccountKind, name: str, currency: str, *, tenant_id: uuid.UUID | None = None
) -> ChartAccount:
    """One of the platform's accounts, `kind:name:currency` or, with an empty name, `kind:currency`.

    `clearing:mpesa:KES`: what a provider holds. `fees:KES`: what tenants paid. `external:KES`: money outside.
    """
    public_id = ":".join(part for part in (kind, name, currency) if part)
    return ChartAccount(public_id, kind, currency, False, tenant_id)


def balances(tenant_id: uuid.UUID) -> list[TenantBalance]:
    """The tenant's wallets, by currency."""
    wanted = (
        select(AccountBalance.currency, AccountBalance.balance, AccountBalance.held)
        .join(Account, Account.id == AccountBalance.id)
        .where(Account.tenant_id == tenant_id, Account.kind == AccountKind.TENANT_WALLET)
        .order_by(AccountBalance.currency)
    )
    with reading() as session:
        rows = session.execute(wanted).all()
    return [TenantBalance(Money(row.balance, row.currency), Money(row.held, row.currency)) for row in rows]


def account_id(session: Session, account: ChartAccount) -> AccountId:
    """The account's id; it is opened where no operation has needed it before."""
    wanted = select(Account.id).where(Account.public_id == account.public_id)
    known = session.scalars(wanted).one_or_none()
    if known is not None:
        return AccountId(known)
    try:
        with session.begin_nested():
            return ledger.open_account(
                session,
                account.public_id,
                now=clock.now(),
                kind=account.kind,
                currency=account.currency,
                is_floored=account.is_floored,
                tenant_id=account.tenant_id,
            )
    except IntegrityError:  # another request opened it meanwhile, and has committed
        return AccountId(session.scalars(wanted).one())
