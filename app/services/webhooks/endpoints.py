"""A merchant's endpoints, or the platform's own: registered, changed, disabled and deleted; and the messages that try them.

The platform's are an operator's, who acts for no tenant; they are sent the events that belong to none.

Guarantees: a secret is shown once, when it is made; an endpoint that is disabled or deleted gets nothing that was not under way.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from flask import current_app
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app import clock, ids
from app.clock import iso_z
from app.errors import EndpointDisabled, InvalidRequest, NotFound
from app.events import outbox, webhook_messages
from app.events.catalogue import EventType
from app.events.webhook_messages import LoggedEvent
from app.models.tenant import Tenant
from app.models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from app.principal import Principal
from app.services.webhooks import addresses, signing
from app.unit_of_work import reading, transaction

MAX_ENDPOINTS: Final = 16
"""Of a tenant; those deleted do not count."""

DEFAULT_OVERLAP_HOURS: Final = 24
MAX_OVERLAP_HOURS: Final = 168
"""How long the secret that was rotated signs beside the new one."""

MAX_SIMULATED_BYTES: Final = 16_384
"""A simulated payload as JSON."""


class Because(StrEnum):
    """Why an endpoint is disabled."""

    MERCHANT = "merchant"
    FAILING = "failing"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint that a simulated event goes to, and the event's `t=,v1=` signature as of now."""

    endpoint: WebhookEndpoint
    signature: str


def register(owner: Principal, url: str, events: Sequence[str] | None) -> tuple[WebhookEndpoint, str]:
    """A new endpoint, and its secret. events: None for all types. Raises UrlRefused, InvalidRequest (there are too many)."""
    addresses.check(url, is_production=current_app.config["IS_PRODUCTION"])
    now, secret, endpoint_id = clock.now(), signing.new_secret(), ids.uuid7()

    def work(session: Session) -> WebhookEndpoint:
        _require_room(session, owner.tenant)
        endpoint = WebhookEndpoint(
            id=endpoint_id,
            tenant_id=owner.tenant,
            url=url,
            events=_in_order(owner, events),
            sealed_secret=signing.sealed(secret, endpoint_id),
            is_enabled=True,
            created_at=now,
            created_by=owner.event_actor,
            updated_at=now,
        )
        session.add(endpoint)
        _record(session, EventType.WEBHOOK_ENDPOINT_CREATED, endpoint, now, owner, events=endpoint.events)
        return endpoint

    return transaction(work), secret


def list_all(tenant_id: uuid.UUID | None) -> Sequence[WebhookEndpoint]:
    """The newest first."""
    wanted = select(WebhookEndpoint).where(*_of(tenant_id)).order_by(WebhookEndpoint.id.desc())
    with reading() as session:
        return session.scalars(wanted).all()


def find(tenant_id: uuid.UUID | None, public_id: str) -> WebhookEndpoint:
    """Raises NotFound."""
    with reading() as session:
        return found(session, tenant_id, public_id)


def change(
    owner: Principal, public_id: str, *, url: str | None, events: Sequence[str] | None, has_events: bool
) -> WebhookEndpoint:
    """url: None to keep it. events: what they are now, where `has_events`. Raises NotFound, UrlRefused."""
    if url is not None:
        addresses.check(url, is_production=current_app.config["IS_PRODUCTION"])
    now = clock.now()

    def work(session: Session) -> WebhookEndpoint:
        endpoint = found(session, owner.tenant, public_id, is_locked=True)
        endpoint.url = url or endpoint.url
        endpoint.events = _in_order(owner, events) if has_events else endpoint.events
        endpoint.updated_at = now
        _record(session, EventType.WEBHOOK_ENDPOINT_CHANGED, endpoint, now, owner, events=endpoint.events)
        return endpoint

    return transaction(work)


def rotate_secret(
    owner: Principal, public_id: str, *, overlap_hours: int = DEFAULT_OVERLAP_HOURS
) -> tuple[WebhookEndpoint, str]:
    """A new secret; the old one signs as well for the overlap. A secret before that one ends now. Raises NotFound."""
    now, secret = clock.now(), signing.new_secret()

    def work(session: Session) -> WebhookEndpoint:
        endpoint = found(session, owner.tenant, public_id, is_locked=True)
        endpoint.sealed_previous_secret = endpoint.sealed_secret
        endpoint.previous_secret_until = now + timedelta(hours=overlap_hours)
        endpoint.sealed_secret = signing.sealed(secret, endpoint.id)
        endpoint.updated_at = now
        until = iso_z(endpoint.previous_secret_until)
        _record(session, EventType.WEBHOOK_ENDPOINT_SECRET_ROTATED, endpoint, now, owner, until=until)
        return endpoint

    return transaction(work), secret


def set_enabled(owner: Principal, public_id: str, *, is_enabled: bool) -> WebhookEndpoint:
    """Nothing changes where it is so already. Raises NotFound."""
    now = clock.now()

    def work(session: Session) -> WebhookEndpoint:
        endpoint = found(session, owner.tenant, public_id, is_locked=True)
        if endpoint.is_enabled is is_enabled:
            return endpoint
        if not is_enabled:
            disable(session, endpoint.id, because=Because.MERCHANT, now=now, actor=owner)
            return endpoint
        endpoint.is_enabled, endpoint.disabled_because = True, None
        endpoint.failing_since, endpoint.updated_at = None, now
        _record(session, EventType.WEBHOOK_ENDPOINT_ENABLED, endpoint, now, owner)
        return endpoint

    return transaction(work)


def delete(owner: Principal, public_id: str) -> None:
    """What was sent to it stays. Raises NotFound."""
    now = clock.now()
    transaction(
        lambda session: _delete(session, found(session, owner.tenant, public_id, is_locked=True), now, owner)
    )


def delete_all(session: Session, tenant_id: uuid.UUID, *, now: datetime, actor: Principal) -> None:
    """Every endpoint of the tenant, in the caller's transaction."""
    wanted = select(WebhookEndpoint).where(*_of(tenant_id)).order_by(WebhookEndpoint.id)
    for endpoint in session.scalars(wanted.with_for_update(key_share=True)):
        _delete(session, endpoint, now, actor)


def disable(
    session: Session, endpoint_id: uuid.UUID, *, because: Because, now: datetime, actor: Principal
) -> None:
    """Send nothing more to it, unless it is disabled already. Its other endpoints are sent the event that says so."""
    endpoint = locked(session, endpoint_id)
    if not endpoint.is_enabled or endpoint.deleted_at is not None:
        return
    endpoint.is_enabled, endpoint.disabled_because, endpoint.updated_at = False, because, now
    cancel(session, [endpoint_id], now=now)
    _record(session, EventType.WEBHOOK_ENDPOINT_DISABLED, endpoint, now, actor, because=because)


def cancel(session: Session, endpoint_ids: Sequence[uuid.UUID], *, now: datetime) -> None:
    """Nothing more is sent to these endpoints; what is under way may still arrive."""
    session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.endpoint_id.in_(endpoint_ids), WebhookDelivery.state == DeliveryState.DUE)
        .values(state=DeliveryState.CANCELLED, finished_at=now)
    )


def send_test(owner: Principal, public_id: str) -> str:
    """Send a test message to one endpoint; its id. Raises NotFound, EndpointDisabled."""
    now, event_id = clock.now(), _new_event_id()

    def work(session: Session) -> None:
        endpoint = found(session, owner.tenant, public_id)
        require_enabled(endpoint)
        data = {"endpoint_id": str(endpoint.id), "url": without_query(endpoint.url)}
        _record_message(session, EventType.WEBHOOK_TESTED, event_id, data, now, owner)

    transaction(work)
    return event_id


def simulate(
    owner: Principal, event_type: str, payload: Mapping[str, Any]
) -> tuple[LoggedEvent, Sequence[Target]]:
    """Send the payload, as an event of this type, to every endpoint that wants the type. It is marked as simulated in the log, and
    nothing else happens. Returns the event and where it goes."""
    now, event_id = clock.now(), _new_event_id()
    data = {"type": event_type, "payload": dict(payload)}
    event = LoggedEvent(event_id, EventType.WEBHOOK_SIMULATED, event_id, data, now)

    def work(session: Session) -> Sequence[WebhookEndpoint]:
        _record_message(session, EventType.WEBHOOK_SIMULATED, event_id, data, now, owner)
        enabled = session.scalars(
            select(WebhookEndpoint)
            .where(*_of(owner.tenant), WebhookEndpoint.is_enabled)
            .order_by(WebhookEndpoint.id)
        )
        return [one for one in enabled if one.events is None or event_type in one.events]

    wanting = transaction(work)
    body = webhook_messages.body_of(
        event, endpoints=len(wanting), is_production=current_app.config["IS_PRODUCTION"]
    )
    return event, [
        Target(one, signing.plain_signature(body, keys=signing.secrets_of(one, now), now=now))
        for one in wanting
    ]


def found(
    session: Session, tenant_id: uuid.UUID | None, public_id: str, *, is_locked: bool = False
) -> WebhookEndpoint:
    """Raises NotFound: unknown, deleted, or of another tenant."""
    between = ids.of_short(ids.WEBHOOK_ENDPOINT, public_id)
    if between is not None:
        wanted = select(WebhookEndpoint).where(*_of(tenant_id), WebhookEndpoint.id.between(*between)).limit(1)
        if is_locked:
            wanted = wanted.with_for_update(key_share=True)
        if (endpoint := session.scalars(wanted).one_or_none()) is not None:
            return endpoint
    raise NotFound("This webhook endpoint was not found.")


def locked(session: Session, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """The row of an endpoint that exists, deleted or not."""
    wanted = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).with_for_update(key_share=True)
    return session.scalars(wanted.execution_options(populate_existing=True)).one()


def require_enabled(endpoint: WebhookEndpoint) -> None:
    """Raises EndpointDisabled."""
    if not endpoint.is_enabled:
        raise EndpointDisabled


def without_query(url: str) -> str:
    """As the log, and operators, see it: some merchants put a token into the query."""
    return url.partition("?")[0]


def _of(tenant_id: uuid.UUID | None) -> tuple[Any, Any]:
    return WebhookEndpoint.tenant_id == tenant_id, WebhookEndpoint.deleted_at.is_(None)


def _require_room(session: Session, tenant_id: uuid.UUID | None) -> None:
    """Raises InvalidRequest. The tenant's row is locked, so that two registrations at once count one after the other."""
    session.execute(select(Tenant.id).where(Tenant.id == tenant_id).with_for_update(key_share=True))
    count = session.scalars(select(func.count()).select_from(WebhookEndpoint).where(*_of(tenant_id))).one()
    if count >= MAX_ENDPOINTS:
        raise InvalidRequest(f"A tenant has at most {MAX_ENDPOINTS} webhook endpoints; delete one.")


def _in_order(owner: Principal, events: Sequence[str] | None) -> list[str] | None:
    """Each type once, in the order of the documentation."""
    choices = webhook_messages.PLATFORM_CHOICES if owner.tenant is None else webhook_messages.CHOICES
    return None if events is None else [one for one in choices if one in events]


def _delete(session: Session, endpoint: WebhookEndpoint, now: datetime, actor: Principal) -> None:
    endpoint.deleted_at = endpoint.updated_at = now
    cancel(session, [endpoint.id], now=now)
    _record(session, EventType.WEBHOOK_ENDPOINT_DELETED, endpoint, now, actor)


def _new_event_id() -> str:
    return ids.short(ids.EVENT, ids.opaque())


def _record(
    session: Session,
    event_type: EventType,
    endpoint: WebhookEndpoint,
    now: datetime,
    actor: Principal,
    **facts: Any,
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(endpoint.id),
        data={"url": without_query(endpoint.url)} | facts,
        now=now,
        actor=actor,
        tenant_id=endpoint.tenant_id,
        is_public=False,
    )


def _record_message(
    session: Session,
    event_type: EventType,
    event_id: str,
    data: dict[str, Any],
    now: datetime,
    owner: Principal,
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=event_id,
        data=data,
        now=now,
        actor=owner,
        tenant_id=owner.tenant,
        is_public=False,
    )
