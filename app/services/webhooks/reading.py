"""Deliveries and attempts, as their merchant reads them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app import ids
from app.errors import InvalidRequest, NotFound
from app.events.webhook_messages import LoggedEvent
from app.models.event import Event
from app.models.webhook import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from app.services.webhooks import endpoints
from app.services.webhooks.deliveries import logged
from app.unit_of_work import reading

MAX_LISTED: Final = 100
"""Deliveries of a page; attempts of a delivery."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery with its event and, where one is read, its attempts."""

    delivery: WebhookDelivery
    event: LoggedEvent
    attempts: Sequence[WebhookAttempt] = ()


def list_deliveries(
    tenant_id: uuid.UUID,
    endpoint_id: str,
    *,
    state: DeliveryState | None,
    before: str | None,
    limit: int,
) -> tuple[Sequence[Delivered], bool]:
    """Of an endpoint, the newest first, older than the delivery `before`; and whether there are more.

    Raises NotFound (the endpoint), InvalidRequest (before).
    """
    with reading() as session:
        endpoint = endpoints.found(session, tenant_id, endpoint_id)
        wanted = _with_events().where(WebhookDelivery.endpoint_id == endpoint.id)
        if state is not None:
            wanted = wanted.where(WebhookDelivery.state == state)
        if before is not None:
            between = ids.of_short(ids.WEBHOOK_DELIVERY, before)
            if between is None:
                raise InvalidRequest("This is not the id of a delivery.", field="before")
            wanted = wanted.where(WebhookDelivery.id < between[0])
        rows = session.execute(wanted.order_by(WebhookDelivery.id.desc()).limit(limit + 1)).all()
    return [Delivered(delivery, logged(event)) for delivery, event in rows[:limit]], len(rows) > limit


def find_delivery(tenant_id: uuid.UUID, delivery_id: str) -> Delivered:
    """With its attempts, the newest first. Raises NotFound."""
    with reading() as session:
        delivery, event = found(session, tenant_id, delivery_id)
        attempts = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery.id)
        newest = session.scalars(attempts.order_by(WebhookAttempt.id.desc()).limit(MAX_LISTED)).all()
    return Delivered(delivery, logged(event), newest)


def found(session: Session, tenant_id: uuid.UUID, delivery_id: str) -> tuple[WebhookDelivery, Event]:
    """Raises NotFound: unknown, of another tenant, or its endpoint is deleted."""
    between = ids.of_short(ids.WEBHOOK_DELIVERY, delivery_id)
    if between is not None:
        wanted = (
            _with_events()
            .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
            .where(
                WebhookDelivery.tenant_id == tenant_id,
                WebhookDelivery.id.between(*between),
                WebhookEndpoint.deleted_at.is_(None),
            )
            .limit(1)
        )
        if (row := session.execute(wanted).one_or_none()) is not None:
            return row[0], row[1]
    raise NotFound("This webhook delivery was not found.")


def _with_events() -> Select[WebhookDelivery, Event]:
    return select(WebhookDelivery, Event).join(Event, Event.seq == WebhookDelivery.event_seq)
