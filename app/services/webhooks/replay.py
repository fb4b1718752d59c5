"""Sending again what was sent, or would have been: one delivery, or the events of a time.

Guarantees: a replay has the id and the bytes of the event's first delivery; an event that is still due at the endpoint is not added
a second time; replays are sent in the order of the log, as all else is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, ids
from app.clock import iso_z
from app.errors import InvalidRequest
from app.events import outbox, webhook_messages
from app.events.catalogue import EventType
from app.events.webhook_messages import LoggedEvent
from app.models.event import Event
from app.models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint
from app.principal import Principal
from app.services.webhooks import endpoints, reading
from app.services.webhooks.deliveries import logged
from app.unit_of_work import transaction

MAX_REPLAYED: Final = 1000
"""Events of one request."""

MAX_AGE: Final = timedelta(days=30)

PUBLISHED_WITHIN: Final = timedelta(hours=1)
"""How much later than its change an event may have its number: the search in the log begins so much earlier."""


def replay_delivery(merchant: Principal, delivery_id: str) -> tuple[WebhookDelivery, LoggedEvent]:
    """Send its event to its endpoint again, now: the new delivery, or the one that is due already. Raises NotFound, EndpointDisabled."""
    now = clock.now()

    def work(session: Session) -> tuple[WebhookDelivery, LoggedEvent]:
        delivery, event = reading.found(session, merchant.tenant_id, delivery_id)
        endpoint = endpoints.locked(session, delivery.endpoint_id)
        endpoints.require_enabled(endpoint)
        replayed = _due(session, endpoint, [event.seq]).get(event.seq)
        if replayed is None:
            replayed = _new(endpoint, event.seq, event.object_id, delivery.endpoints, now)
            session.add(replayed)
        elif replayed.next_at > now:
            replayed.next_at = now
        _record(session, endpoint, {"delivery": str(delivery.id), "count": 1}, now, merchant)
        return replayed, logged(event)

    return transaction(work)


def replay_range(
    merchant: Principal, endpoint_id: str, *, after: datetime | None = None, until: datetime | None = None
) -> int:
    """Send the endpoint the events of its types that were made after `after` (default: MAX_AGE ago), and no later than `until`.

    Returns how many. Raises NotFound, EndpointDisabled, InvalidRequest: a time is not useful, or there are more than MAX_REPLAYED.
    """
    now = clock.now()
    begin, end = after or now - MAX_AGE, until or now
    if begin < now - MAX_AGE - timedelta(minutes=1):
        raise InvalidRequest(f"Events older than {MAX_AGE.days} days are not sent again.", field="after")
    if end < begin:
        raise InvalidRequest("until is before after.", field="until")

    def work(session: Session) -> int:
        endpoint = endpoints.found(session, merchant.tenant, endpoint_id, is_locked=True)
        endpoints.require_enabled(endpoint)
        events = _events(session, endpoint, begin, end)
        due = _due(session, endpoint, [event.seq for event in events])
        new = [event for event in events if event.seq not in due]
        counts = _counts(session, endpoint, [event.seq for event in new])
        session.add_all(
            [_new(endpoint, event.seq, event.object_id, counts.get(event.seq, 1), now) for event in new]
        )
        facts = {"after": iso_z(begin), "until": iso_z(end), "count": len(new)}
        _record(session, endpoint, facts, now, merchant)
        return len(new)

    return transaction(work)


def _events(session: Session, endpoint: WebhookEndpoint, begin: datetime, end: datetime) -> Sequence[Any]:
    wanted = _types_of(endpoint)
    found = session.execute(
        select(Event.seq, Event.object_id)
        .where(
            Event.tenant_id == endpoint.tenant_id,
            Event.seq >= _first_seq(session, begin - PUBLISHED_WITHIN),
            Event.type.in_(wanted),
            Event.at > begin,
            Event.at <= end,
        )
        .order_by(Event.seq)
        .limit(MAX_REPLAYED + 1)
    ).all()
    if len(found) > MAX_REPLAYED:
        raise InvalidRequest(f"There are more than {MAX_REPLAYED} events: ask for a shorter time.")
    return found


def _types_of(endpoint: WebhookEndpoint) -> list[str]:
    """Of the log. Test messages and simulated events are not sent again with others."""
    return [
        event_type
        for event_type, name in webhook_messages.TYPES.items()
        if endpoint.events is None or name in endpoint.events
    ]


def _first_seq(session: Session, moment: datetime) -> int:
    """The number of about the first event of this moment: there is no index on times, and numbers have no gaps."""
    low, high = 1, (session.scalar(select(func.max(Event.seq))) or 0) + 1
    while low < high:
        middle = (low + high) // 2
        at = session.scalar(select(Event.at).where(Event.seq == middle))
        low, high = (middle + 1, high) if at is not None and at < moment else (low, middle)
    return low


def _due(session: Session, endpoint: WebhookEndpoint, seqs: Sequence[int]) -> dict[int, WebhookDelivery]:
    """Those of these events that are to be sent to the endpoint anyway."""
    wanted = select(WebhookDelivery).where(
        WebhookDelivery.endpoint_id == endpoint.id,
        WebhookDelivery.state == DeliveryState.DUE,
        WebhookDelivery.event_seq.in_(seqs),
    )
    return {one.event_seq: one for one in session.scalars(wanted.with_for_update(key_share=True))}


def _counts(session: Session, endpoint: WebhookEndpoint, seqs: Sequence[int]) -> dict[int, int]:
    """To how many endpoints an event was sent first, which is a part of what was sent."""
    wanted = select(WebhookDelivery.event_seq, WebhookDelivery.endpoints).where(
        WebhookDelivery.endpoint_id == endpoint.id,
        WebhookDelivery.event_seq.in_(seqs),
        ~WebhookDelivery.is_replay,
    )
    return {row.event_seq: row.endpoints for row in session.execute(wanted)}


def _new(
    endpoint: WebhookEndpoint, event_seq: int, object_id: str, count: int, now: datetime
) -> WebhookDelivery:
    return WebhookDelivery(
        id=ids.uuid7(),
        endpoint_id=endpoint.id,
        tenant_id=endpoint.tenant_id,
        event_seq=event_seq,
        object_id=object_id,
        state=DeliveryState.DUE,
        attempts=0,
        next_at=now,
        is_replay=True,
        endpoints=count,
        created_at=now,
    )


def _record(
    session: Session, endpoint: WebhookEndpoint, facts: dict[str, Any], now: datetime, actor: Principal
) -> None:
    outbox.record(
        session,
        EventType.WEBHOOK_REPLAYED,
        object_id=str(endpoint.id),
        data=facts,
        now=now,
        actor=actor,
        tenant_id=endpoint.tenant_id,
        is_public=False,
    )
