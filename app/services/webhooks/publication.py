"""A published event is to be sent to each endpoint of its tenant, or of the platform where it belongs to none, that wants it: the rows are inserted with the event.

Guarantees: an event that was published has its deliveries, and one that was rolled back has none; a fault here does not stop the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
import psycopg2
import structlog
from psycopg2.extras import execute_values

from app import ids
from app.events import webhook_messages
from app.events.chain import Link
from app.events.reactions import Reaction
from app.unit_of_work import is_unavailable

log = structlog.get_logger("webhooks")

_ENDPOINTS: Final = """
SAVEPOINT webhooks;
SELECT id::text, tenant_id::text, events FROM webhook_endpoints
WHERE (tenant_id = ANY (%s::uuid[]) OR tenant_id IS NULL AND %s) AND is_enabled AND deleted_at IS NULL ORDER BY id
"""
"""One round trip. For tenants without endpoints it is all that is done."""

_INSERT: Final = """
INSERT INTO webhook_deliveries (id, endpoint_id, tenant_id, event_seq, object_id, state, attempts, next_at, is_replay,
  endpoints, created_at) VALUES %s ON CONFLICT DO NOTHING
"""
_ROW: Final = "(%s::uuid, %s::uuid, %s::uuid, %s, %s, 'due', 0, %s, false, %s, %s)"


class _Endpoint(NamedTuple):
    id: str
    events: Sequence[str] | None


def _queue(cursor: Any, events: Sequence[Link], now: datetime) -> None:
    try:
        _insert(cursor, events, now)
    except psycopg2.Error as error:
        if is_unavailable(error):
            raise  # nothing is published now, and all of it is tried again
        _report(cursor, events)
    except (KeyError, ValueError):
        _report(cursor, events)


def _report(cursor: Any, events: Sequence[Link]) -> None:
    cursor.execute("ROLLBACK TO SAVEPOINT webhooks")
    log.exception("webhooks.not_queued", first=events[0].seq, last=events[-1].seq)


def _insert(cursor: Any, events: Sequence[Link], now: datetime) -> None:
    tenants = sorted({event.tenant_id for event in events if event.tenant_id is not None})
    cursor.execute(_ENDPOINTS, (tenants, any(event.tenant_id is None for event in events)))
    by_tenant: dict[str | None, list[_Endpoint]] = {}
    for endpoint_id, tenant_id, wanted in cursor.fetchall():
        by_tenant.setdefault(tenant_id, []).append(_Endpoint(endpoint_id, wanted))
    if not by_tenant:
        return
    wanted = [(event, endpoint, count) for event, endpoint, count in _wanted(events, by_tenant)]
    rows = [
        (str(row_id), endpoint.id, event.tenant_id, event.seq, event.object_id, now, count, now)
        for row_id, (event, endpoint, count) in zip(ids.uuid7s(len(wanted)), wanted, strict=True)
    ]
    if rows:
        execute_values(cursor, _INSERT, rows, template=_ROW, page_size=1000)


def _wanted(
    events: Sequence[Link], by_tenant: Mapping[str | None, Sequence[_Endpoint]]
) -> Iterator[tuple[Link, _Endpoint, int]]:
    """(event, endpoint, to how many endpoints the event goes)."""
    for event in events:
        endpoints = [one for one in by_tenant.get(event.tenant_id, ()) if _wants(one, event)]
        for endpoint in endpoints:
            yield event, endpoint, len(endpoints)


def _wants(endpoint: _Endpoint, event: Link) -> bool:
    # The data of other types is not needed here: reading it costs more than all the rest.
    is_special = event.type in (webhook_messages.SIMULATED, webhook_messages.TESTED)
    data = orjson.loads(event.data_text) if is_special else {}
    if event.type == webhook_messages.TESTED:
        return bool(data["endpoint_id"] == endpoint.id)
    return endpoint.events is None or webhook_messages.type_of(event.type, data) in endpoint.events


DELIVERIES: Final = Reaction(webhook_messages.SENT_EVENTS, _queue)
