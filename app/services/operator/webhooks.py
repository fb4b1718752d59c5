"""Webhooks of all tenants, for operators: endpoints with what waits there, attempts as they are made, and replays."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import select, text

from app import clock, ids
from app.errors import NotFound
from app.models.webhook import WebhookAttempt, WebhookEndpoint
from app.principal import Principal
from app.services.webhooks import replay
from app.services.webhooks.endpoints import without_query
from app.unit_of_work import reading

MAX_LISTED: Final = 500
"""Endpoints, or attempts, of one list."""

COUNT_CAP: Final = 100_000
"""Deliveries of an endpoint are counted no further."""


@dataclass(frozen=True, slots=True)
class EndpointState:
    """tenant_id: None for the platform's own. due: deliveries to be sent, now or later; dead: those without an attempt left; waiting_since: when the one that waits longest was
    to be sent."""

    id: uuid.UUID
    tenant_id: uuid.UUID | None
    url: str
    is_enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    due: int
    dead: int
    waiting_since: datetime | None


_STATES: Final = text("""
SELECT e.id, e.tenant_id, e.url, e.is_enabled, e.disabled_because, e.failing_since,
  (SELECT count(*) FROM (SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'due' LIMIT :cap) n) AS due,
  (SELECT count(*) FROM (SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'dead' LIMIT :cap) n) AS dead,
  (SELECT min(d.next_at) FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'due' AND d.next_at <= :now)
    AS waiting_since
FROM webhook_endpoints e
WHERE e.deleted_at IS NULL AND (CAST(:tenant AS uuid) IS NULL OR e.tenant_id = :tenant)
ORDER BY e.id DESC LIMIT :limit
""")


def list_endpoints(tenant_id: uuid.UUID | None = None) -> Sequence[EndpointState]:
    """Of a tenant, or of all; the newest first, at most MAX_LISTED."""
    values = {"tenant": tenant_id, "now": clock.now(), "cap": COUNT_CAP, "limit": MAX_LISTED}
    with reading() as session:
        found = session.execute(_STATES, values).mappings()
        return [EndpointState(**(dict(row) | {"url": without_query(row["url"])})) for row in found]


def attempts(
    *, after: uuid.UUID | None = None, endpoint_id: str | None = None, limit: int = MAX_LISTED
) -> Sequence[WebhookAttempt]:
    """The oldest first: those after an attempt, or without `after` the latest. Raises NotFound: the endpoint."""
    wanted = select(WebhookAttempt).limit(min(limit, MAX_LISTED))
    if endpoint_id is not None:
        wanted = wanted.where(WebhookAttempt.endpoint_id == _endpoint(endpoint_id).id)
    with reading() as session:
        if after is not None:
            return session.scalars(wanted.where(WebhookAttempt.id > after).order_by(WebhookAttempt.id)).all()
        return session.scalars(wanted.order_by(WebhookAttempt.id.desc())).all()[::-1]


def replay_range(
    endpoint_id: str, *, after: datetime | None, until: datetime | None, operator: Principal
) -> int:
    """As its merchant does. Raises NotFound, EndpointDisabled, InvalidRequest."""
    acting = replace(operator, tenant=_endpoint(endpoint_id).tenant_id)
    return replay.replay_range(acting, endpoint_id, after=after, until=until)


def _endpoint(public_id: str) -> WebhookEndpoint:
    between = ids.of_short(ids.WEBHOOK_ENDPOINT, public_id)
    if between is not None:
        wanted = select(WebhookEndpoint).where(
            WebhookEndpoint.id.between(*between), WebhookEndpoint.deleted_at.is_(None)
        )
        with reading() as session:
            if (found := session.scalars(wanted.limit(1)).one_or_none()) is not None:
                return found
    raise NotFound("No webhook endpoint has this id.")
