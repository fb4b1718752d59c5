"""Recording a change: one outbox row in the change's own transaction."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, literal, select
from sqlalchemy.orm import Session

from app.events.catalogue import EventType
from app.models.event import OutboxRow
from app.principal import EventActor, Principal, actor_text


def record(
    session: Session,
    event_type: EventType,
    *,
    object_id: str,
    data: dict[str, Any],
    now: datetime,
    actor: EventActor,
    tenant_id: uuid.UUID | None = None,
    is_public: bool = True,
) -> None:
    """Insert the row **after** locking the object, so that the object's events keep their order.

    `data`: JSON-safe, no secrets, no personal data beyond ids. `actor`: a principal, whose address is recorded too, or
    the name of a part of the gateway. `is_public`: may reach clients (webhooks, Socket.IO); False is for the audit log only.
    """
    session.flush()
    row = event_row(
        event_type,
        object_id=object_id,
        data=data,
        now=now,
        actor=actor,
        tenant_id=tenant_id,
        is_public=is_public,
    )
    session.add(OutboxRow(**row))
    session.flush()


def event_row(
    event_type: EventType,
    *,
    object_id: str,
    data: dict[str, Any],
    now: datetime,
    actor: EventActor,
    tenant_id: uuid.UUID | None = None,
    is_public: bool = True,
) -> dict[str, Any]:
    """The columns of the row that `record` inserts."""
    return {
        "tenant_id": tenant_id,
        "type": event_type,
        "object_id": object_id,
        "actor": actor_text(actor),
        "address": actor.address if isinstance(actor, Principal) else None,
        "is_public": is_public,
        "data": data,
        "at": now,
    }


def record_where(
    session: Session,
    event_type: EventType,
    condition: ColumnElement[bool],
    *,
    object_id: ColumnElement[str],
    data: dict[str, Any],
    now: datetime,
    actor: Principal,
) -> None:
    """A row, for the audit log only, for each object that `condition` finds. One statement in any case: how long it takes
    does not tell whether there is such an object."""
    values: dict[str, ColumnElement[Any]] = {
        "type": literal(event_type),
        "object_id": object_id,
        "actor": literal(actor.event_actor),
        "address": literal(actor.address),
        "is_public": literal(False),
        "data": literal(data, OutboxRow.data.type),
        "at": literal(now, OutboxRow.at.type),
    }
    found = select(*values.values()).where(condition)
    session.execute(insert(OutboxRow).from_select(list(values), found))
