"""Suspending tenants and reactivating them.

Guarantees: from the commit on no API key of a suspended tenant is accepted, on any process, since each use reads the
tenant's row; its keys are kept, and accepted again after reactivation. Money under way still arrives: callbacks,
follow-ups and operators' decisions about its payments and refunds do not ask whether the tenant is active.
"""

from __future__ import annotations

import uuid

from flask import current_app
from sqlalchemy.orm import Session

from app import clock
from app.errors import InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.tenant import Tenant
from app.principal import Principal
from app.services.demo.objects import TENANT_IDS as DEMO_TENANT_IDS
from app.services.reasons import valid_reason
from app.unit_of_work import transaction


def suspend_tenant(tenant_id: uuid.UUID, *, reason: str, operator: Principal) -> bool:
    """False: it is suspended already, and nothing changed. Raises NotFound, InvalidRequest (the reason)."""
    return _set_active(tenant_id, is_active=False, reason=reason, operator=operator)


def reactivate_tenant(tenant_id: uuid.UUID, *, reason: str, operator: Principal) -> bool:
    """False: it is active already, and nothing changed. Raises NotFound, InvalidRequest (the reason, or it is a demo
    tenant, which production does not serve)."""
    if current_app.config["IS_PRODUCTION"] and tenant_id in DEMO_TENANT_IDS:
        raise InvalidRequest("A demo tenant cannot be reactivated in production.")
    return _set_active(tenant_id, is_active=True, reason=reason, operator=operator)


def _set_active(tenant_id: uuid.UUID, *, is_active: bool, reason: str, operator: Principal) -> bool:
    facts = {"reason": valid_reason(reason)}

    def work(session: Session) -> bool:
        tenant = session.get(Tenant, tenant_id, with_for_update={"key_share": True})
        if tenant is None:
            raise NotFound("There is no tenant with this id.")
        if tenant.is_active is is_active:
            return False
        tenant.is_active = is_active
        outbox.record(
            session,
            EventType.TENANT_REACTIVATED if is_active else EventType.TENANT_SUSPENDED,
            object_id=str(tenant_id),
            data=facts,
            now=clock.now(),
            actor=operator,
            tenant_id=tenant_id,
            is_public=False,
        )
        return True

    return transaction(work)
