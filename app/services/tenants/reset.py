"""Begins a tenant's test data anew, for the Processing API of a demo: nothing is deleted, since ledger and audit keep every row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.clock import iso_z
from app.events import outbox
from app.events.catalogue import EventType
from app.models.tenant import ApiKey
from app.principal import Principal
from app.services.tenants import tenants
from app.services.webhooks import endpoints
from app.unit_of_work import transaction


def reset_test_data(actor: Principal) -> tuple[datetime, Sequence[ApiKey]]:
    """When it was, and the tenant's keys, whose counters begin anew, too.

    What the Processing API made before is not shown by it any more, every Idempotency-Key can be used again there, and webhook
    endpoints are deleted. A payment that is open is carried on: the provider may have been paid.
    """
    now = clock.now()

    def work(session: Session) -> Sequence[ApiKey]:
        tenant = tenants.locked(session, actor.tenant_id)
        tenant.reset_at = now
        outbox.record(
            session,
            EventType.TENANT_TEST_DATA_RESET,
            object_id=str(tenant.id),
            data={"reset_at": iso_z(now)},
            now=now,
            actor=actor,
            tenant_id=tenant.id,
            is_public=False,
        )
        endpoints.delete_all(session, tenant.id, now=now, actor=actor)
        return session.scalars(select(ApiKey).where(ApiKey.tenant_id == tenant.id)).all()

    return now, transaction(work)
