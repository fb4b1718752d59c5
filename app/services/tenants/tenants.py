"""Tenants and the keys their backends call with.

Guarantees: a key is shown once and stored as a hash; a revoked key, or one of a suspended tenant, is refused from
that moment on, by every process, since each use reads its row.
"""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.tenant import Plan, Tenant
from app.principal import SYSTEM, Principal
from app.services.tenants.api_keys import new_key, store_key, valid_name
from app.unit_of_work import reading, transaction

DEFAULT_CURRENCY: Final = "KES"


def currency_of(tenant_id: uuid.UUID) -> str:
    """What the tenant is asked about where a request names no currency."""
    with reading() as session:
        return session.get_one(Tenant, tenant_id).currency


def create_tenant(
    name: str, plan: Plan = Plan.STARTER, *, operator: Principal = SYSTEM
) -> tuple[Tenant, str]:
    """A tenant with its first key, which is shown only now. Raises InvalidRequest (the name)."""
    wanted, key = valid_name(name), new_key()

    def work(session: Session) -> Tenant:
        return store_tenant(session, wanted, key, plan=plan, currency=DEFAULT_CURRENCY, operator=operator)

    return transaction(work), key


def store_tenant(
    session: Session, name: str, key: str, *, plan: Plan, currency: str, operator: Principal
) -> Tenant:
    """Insert a tenant and its first key in the caller's transaction."""
    now = clock.now()
    tenant = Tenant(id=ids.uuid7(), name=name, plan=plan, is_active=True, created_at=now, currency=currency)
    session.add(tenant)
    outbox.record(
        session,
        EventType.TENANT_CREATED,
        object_id=str(tenant.id),
        data={"name": name, "plan": plan},
        now=now,
        actor=operator,
        tenant_id=tenant.id,
        is_public=False,
    )
    store_key(session, key, tenant_id=tenant.id, name="first key", operator=operator)
    return tenant


def locked(session: Session, tenant_id: uuid.UUID) -> Tenant:
    """The tenant's row, locked: what is decided about its members and keys is decided in turn. Raises NotFound."""
    found = select(Tenant).where(Tenant.id == tenant_id).with_for_update(key_share=True)
    tenant = session.scalars(found).one_or_none()
    if tenant is None:
        raise NotFound("There is no tenant with this id.")
    return tenant


def is_active(tenant_id: uuid.UUID) -> bool:
    """Whether the tenant exists and is not suspended."""
    with reading() as session:
        return bool(session.scalar(select(Tenant.is_active).where(Tenant.id == tenant_id)))


def list_tenants() -> list[Tenant]:
    """All tenants, oldest first."""
    with reading() as session:
        return list(session.scalars(select(Tenant).order_by(Tenant.id)))
