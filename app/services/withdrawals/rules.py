"""What a tenant can withdraw, and how: methods, fees, minimums, and how many people must approve. All of it is data."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from app.ledger import chart
from app.ledger.chart import TenantBalance
from app.models.tenant import Tenant
from app.models.withdrawal import ApprovalBand, PayoutDestination, WithdrawalMinimum
from app.money import Money, exponent_of
from app.principal import Principal
from app.providers.base import PayoutMethod
from app.services import reference_data
from app.services.payouts import routing
from app.services.reference_data import ReferenceData
from app.services.withdrawals import destinations
from app.unit_of_work import reading


@dataclass(frozen=True, slots=True)
class Options:
    """methods: those that can pay out the currency now, in order. minimums, fees: of each. chosen: where the tenant is paid
    out to by default."""

    methods: tuple[PayoutMethod, ...]
    minimums: Mapping[PayoutMethod, Money]
    fees: Mapping[PayoutMethod, Money]
    chosen: PayoutDestination | None
    balance: TenantBalance
    currency: str


def options(reader: Principal, currency: str | None) -> Options:
    """What the tenant can withdraw of `currency` (None: its own). Raises UnsupportedCurrency."""
    with reading() as session:
        tenant = session.get_one(Tenant, reader.tenant_id)
    currency = currency or tenant.currency
    exponent_of(currency)
    reference = reference_data.latest()
    methods = tuple(routing.providers(currency))
    least = {method: minimum(tenant.id, method, currency) for method in methods}
    return Options(
        methods=methods,
        minimums=least,
        # A fee may depend on the amount: this is that of the smallest one.
        fees={method: fee(reference, tenant.id, method, amount) for method, amount in least.items()},
        chosen=destinations.chosen(tenant),
        balance=balance(tenant.id, currency),
        currency=currency,
    )


def fee(reference: ReferenceData, tenant_id: uuid.UUID, method: PayoutMethod, amount: Money) -> Money:
    """What the tenant pays for withdrawing `amount`."""
    return Money(reference.withdrawal_fee(tenant_id, method, amount), amount.currency)


def minimum(tenant_id: uuid.UUID, method: PayoutMethod, currency: str) -> Money:
    """The least that can be withdrawn: by the tenant's own row, else the platform's, else one minor unit."""
    wanted = (
        select(WithdrawalMinimum.minimum)
        .where(
            WithdrawalMinimum.method == method,
            WithdrawalMinimum.currency == currency,
            WithdrawalMinimum.tenant_id.is_(None) | (WithdrawalMinimum.tenant_id == tenant_id),
        )
        .order_by(WithdrawalMinimum.tenant_id.is_(None))
        .limit(1)
    )
    with reading() as session:
        return Money(session.scalars(wanted).one_or_none() or 1, currency)


def required_approvals(tenant_id: uuid.UUID, amount: Money) -> int:
    """By the highest of the tenant's bands that begins at or below the amount."""
    wanted = (
        select(ApprovalBand.approvals)
        .where(
            ApprovalBand.tenant_id == tenant_id,
            ApprovalBand.currency == amount.currency,
            ApprovalBand.from_minor <= amount.amount_minor,
        )
        .order_by(ApprovalBand.from_minor.desc())
        .limit(1)
    )
    with reading() as session:
        return session.scalars(wanted).one_or_none() or 1


def balance(tenant_id: uuid.UUID, currency: str) -> TenantBalance:
    """Of the tenant's wallet; zero where it has none in this currency."""
    found = (one for one in chart.balances(tenant_id) if one.balance.currency == currency)
    return next(found, TenantBalance(Money(0, currency), Money(0, currency)))
