"""What operators set for withdrawals: how many people approve amounts of which size, and the least that can be withdrawn.

A band holds from its amount on, up to the next one of the currency; without a band one person approves. A minimum of a tenant's own comes
before the platform's.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.withdrawal import ApprovalBand, WithdrawalMinimum
from app.money import Money, exponent_of
from app.principal import Principal
from app.providers.base import PayoutMethod
from app.services.tenants import tenants
from app.unit_of_work import reading, transaction

MAX_APPROVALS: Final = 5


def set_band(tenant_id: uuid.UUID, start: Money, approvals: int, *, operator: Principal) -> None:
    """Let withdrawals of `start` and more need so many approvals, in place of what the same band said.

    Raises NotFound, UnsupportedCurrency, InvalidRequest (not 1 to MAX_APPROVALS, or a negative amount).
    """
    exponent_of(start.currency)
    if not 1 <= approvals <= MAX_APPROVALS or start.amount_minor < 0:
        raise InvalidRequest(
            f"A band starts at 0 or more and needs 1 to {MAX_APPROVALS} approvals.", field="approvals"
        )
    key = {"tenant_id": tenant_id, "currency": start.currency, "from_minor": start.amount_minor}
    statement = insert(ApprovalBand).values(**key, approvals=approvals)

    def work(session: Session) -> None:
        tenants.locked(session, tenant_id)
        session.execute(
            statement.on_conflict_do_update(index_elements=list(key), set_={"approvals": approvals})
        )
        facts = {"currency": start.currency, "from_minor": start.amount_minor, "approvals": approvals}
        _record(session, EventType.APPROVAL_BAND_SET, tenant_id, facts, operator=operator)

    transaction(work)


def list_bands(tenant_id: uuid.UUID) -> Sequence[ApprovalBand]:
    """The tenant's bands, by currency and amount."""
    wanted = (
        select(ApprovalBand)
        .where(ApprovalBand.tenant_id == tenant_id)
        .order_by(ApprovalBand.currency, ApprovalBand.from_minor)
    )
    with reading() as session:
        return session.scalars(wanted).all()


def remove_band(tenant_id: uuid.UUID, start: Money, *, operator: Principal) -> None:
    """Raises NotFound."""
    is_band = (
        (ApprovalBand.tenant_id == tenant_id)
        & (ApprovalBand.currency == start.currency)
        & (ApprovalBand.from_minor == start.amount_minor)
    )

    def work(session: Session) -> None:
        tenants.locked(session, tenant_id)
        removed = session.scalars(delete(ApprovalBand).where(is_band).returning(ApprovalBand.approvals))
        if removed.one_or_none() is None:
            raise NotFound("The tenant has no band that starts at this amount.")
        facts = {"currency": start.currency, "from_minor": start.amount_minor}
        _record(session, EventType.APPROVAL_BAND_REMOVED, tenant_id, facts, operator=operator)

    transaction(work)


def set_minimum(method: str, minimum: Money, *, tenant_id: uuid.UUID | None, operator: Principal) -> None:
    """The least that can be withdrawn by a method; tenant_id None: by every tenant that has none of its own.

    Raises NotFound (the tenant), UnsupportedCurrency, InvalidRequest (the method, or an amount that is not above zero).
    """
    exponent_of(minimum.currency)
    if method not in list(PayoutMethod):
        raise InvalidRequest(f"Methods are {', '.join(PayoutMethod)}.", field="method")
    if minimum.amount_minor <= 0:
        raise InvalidRequest("A minimum is above zero.", field="minimum")
    key = {"tenant_id": tenant_id, "method": method, "currency": minimum.currency}
    statement = insert(WithdrawalMinimum).values(id=ids.uuid7(), **key, minimum=minimum.amount_minor)

    def work(session: Session) -> None:
        if tenant_id is not None:
            tenants.locked(session, tenant_id)
        session.execute(
            statement.on_conflict_do_update(index_elements=list(key), set_={"minimum": minimum.amount_minor})
        )
        facts = {"method": method, "currency": minimum.currency, "minimum_minor": minimum.amount_minor}
        _record(session, EventType.WITHDRAWAL_MINIMUM_SET, tenant_id, facts, operator=operator)

    transaction(work)


def remove_minimum(method: str, currency: str, *, tenant_id: uuid.UUID | None, operator: Principal) -> None:
    """Afterwards the platform's holds, or any amount above the fee. Raises NotFound."""
    is_minimum = (
        WithdrawalMinimum.tenant_id.is_not_distinct_from(tenant_id)
        & (WithdrawalMinimum.method == method)
        & (WithdrawalMinimum.currency == currency)
    )

    def work(session: Session) -> None:
        removed = session.scalars(delete(WithdrawalMinimum).where(is_minimum).returning(WithdrawalMinimum.id))
        if removed.one_or_none() is None:
            raise NotFound("There is no such minimum.")
        facts = {"method": method, "currency": currency}
        _record(session, EventType.WITHDRAWAL_MINIMUM_REMOVED, tenant_id, facts, operator=operator)

    transaction(work)


def list_minimums() -> Sequence[WithdrawalMinimum]:
    """The platform's minimums first, then tenants' own."""
    wanted = select(WithdrawalMinimum).order_by(
        WithdrawalMinimum.tenant_id.nulls_first(), WithdrawalMinimum.method, WithdrawalMinimum.currency
    )
    with reading() as session:
        return session.scalars(wanted).all()


def _record(
    session: Session,
    event_type: EventType,
    tenant_id: uuid.UUID | None,
    facts: dict[str, Any],
    *,
    operator: Principal,
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(tenant_id) if tenant_id else "platform",
        data=facts,
        now=clock.now(),
        actor=operator,
        tenant_id=tenant_id,
        is_public=False,
    )
