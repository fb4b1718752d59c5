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


def tenant_wallet(session: Session, tenant_id: uuid.UUID, currency: str) -> AccountId:
    """The id of the tenant's account in `currency`, which can never go below zero."""
    public_id = f"tenant:{tenant_id}:{currency}"
    return _account(
        session,
        public_id,
        kind=AccountKind.TENANT_WALLET,
        currency=currency,
        is_floored=True,
        tenant_id=tenant_id,
    )


def tenant_direct(session: Session, tenant_id: uuid.UUID, currency: str) -> AccountId:
    """What the tenant collected on provider accounts of its own: it has that money already, so it is never paid out."""
    public_id = f"tenant-direct:{tenant_id}:{currency}"
    return _account(
        session,
        public_id,
        kind=AccountKind.TENANT_DIRECT,
        currency=currency,
        is_floored=True,
        tenant_id=tenant_id,
    )


def tenant_suspense(session: Session, tenant_id: uuid.UUID, currency: str) -> AccountId:
    """Money that was collected for payments of the tenant and cannot be posted to its wallet."""
    return platform_account(session, AccountKind.SUSPENSE, str(tenant_id), currency, tenant_id=tenant_id)


def platform_account(
    session: Session, kind: AccountKind, name: str, currency: str, *, tenant_id: uuid.UUID | None = None
) -> AccountId:
    """The id of one of the platform's accounts, `kind:name:currency` or, with an empty name, `kind:currency`.

    `clearing:mpesa:KES`: what a provider holds. `fees:KES`: what tenants paid. `external:KES`: money outside.
    """
    public_id = ":".join(part for part in (kind, name, currency) if part)
    return _account(session, public_id, kind=kind, currency=currency, is_floored=False, tenant_id=tenant_id)


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


def _account(
    session: Session,
    public_id: str,
    *,
    kind: AccountKind,
    currency: str,
    is_floored: bool,
    tenant_id: uuid.UUID | None,
) -> AccountId:
    wanted = select(Account.id).where(Account.public_id == public_id)
    known = session.scalars(wanted).one_or_none()
    if known is not None:
        return AccountId(known)
    try:
        with session.begin_nested():
            return ledger.open_account(
                session,
                public_id,
                now=clock.now(),
                kind=kind,
                currency=currency,
                is_floored=is_floored,
                tenant_id=tenant_id,
            )
    except IntegrityError:  # another request opened it meanwhile, and has committed
        return AccountId(session.scalars(wanted).one())
