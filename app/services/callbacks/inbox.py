"""Callbacks as operators see them: lists, one in full, processing once more, numbers.

The secret end of a callback's URL is never shown: whoever knows it can send news.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, ids, queue
from app.actor import Actor
from app.clock import iso_z
from app.errors import GatewayError, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.job import Job, JobKind, JobState
from app.models.provider_event import ProviderEvent
from app.unit_of_work import reading, transaction

STATES: Final = ("received", "processed", "ignored", "dead")


class ProviderEventNotFound(NotFound):
    code = "WEBHOOK_EVENT_NOT_FOUND"
    default_message = "Webhook event not found"


class NotRetryable(GatewayError):
    """It was processed: its result stands, and doing it again would change nothing."""

    http_status = 409
    code = "WEBHOOK_EVENT_PROCESSED"
    default_message = "This webhook event has been processed."


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What a list shows; `before`: only events older than this one."""

    provider: str | None = None
    state: str | None = None
    payment_id: uuid.UUID | None = None
    before: uuid.UUID | None = None


def list_events(criteria: EventFilter, *, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """Up to `limit` callbacks, newest first, and the cursor of the next page (None: there is none)."""
    query = select(ProviderEvent).order_by(ProviderEvent.id.desc()).limit(limit + 1)
    if criteria.provider is not None:
        query = query.where(ProviderEvent.provider == criteria.provider)
    if criteria.state is not None:
        query = query.where(ProviderEvent.state == criteria.state)
    if criteria.payment_id is not None:
        query = query.where(ProviderEvent.payment_id == criteria.payment_id)
    if criteria.before is not None:
        query = query.where(ProviderEvent.id < criteria.before)
    with reading() as session:
        rows = list(session.scalars(query))
    shown = rows[:limit]
    return [_summary(row) for row in shown], str(shown[-1].id) if len(rows) > limit else None


def get_event(event_id: uuid.UUID) -> dict[str, Any]:
    """One callback with its headers and body. Raises ProviderEventNotFound."""
    with reading() as session:
        return _detail(_found(session.get(ProviderEvent, event_id)))


def retry(event_id: uuid.UUID, *, operator: Actor) -> dict[str, Any]:
    """Make a callback due again, now. Raises ProviderEventNotFound, NotRetryable when it was processed.

    One that still waits only runs sooner. The state does not tell about money: processing asks the provider first.
    """

    def work(session: Session) -> dict[str, Any]:
        event = _found(session.get(ProviderEvent, event_id, with_for_update=True))
        if event.state == "processed":
            raise NotRetryable
        now, before = clock.now(), event.state
        event.state, event.result, event.processed_at = "received", None, None
        ref = str(event.id)
        queue.requeue(session, JobKind.PROVIDER_EVENT_PROCESS, ref=ref, run_at=now, now=now)
        queue.run_sooner(session, JobKind.PROVIDER_EVENT_PROCESS, ref=ref, run_at=now)
        outbox.record(
            session,
            EventType.PROVIDER_EVENT_RETRIED,
            object_id=ref,
            data={"provider": event.provider, "state": before},
            now=now,
            actor=operator,
            is_public=False,
        )
        return _detail(event)

    return transaction(work)


def statistics(*, hours: int) -> dict[str, Any]:
    """Callbacks of the last `hours` by provider and by state, and all that are given up or wait now."""
    since = clock.now() - timedelta(hours=hours)
    counted = (
        select(
            ProviderEvent.provider,
            ProviderEvent.kind,
            ProviderEvent.state,
            ProviderEvent.is_verified,
            func.count(),
            func.sum(ProviderEvent.repeats),
        )
        .where(ProviderEvent.id >= ids.first_of(since))
        .group_by(ProviderEvent.provider, ProviderEvent.kind, ProviderEvent.state, ProviderEvent.is_verified)
    )
    with reading() as session:
        groups = session.execute(counted).all()
        waiting, oldest = session.execute(
            select(func.count(), func.min(ProviderEvent.received_at)).where(ProviderEvent.state == "received")
        ).one()
        dead = dict(
            _pairs(
                session,
                select(ProviderEvent.provider, func.count())
                .where(ProviderEvent.state == "dead")
                .group_by(ProviderEvent.provider),
            )
        )
        dead_jobs = session.scalar(
            select(func.count()).where(Job.kind == JobKind.PROVIDER_EVENT_PROCESS, Job.state == JobState.DEAD)
        )
    return {
        "hours": hours,
        "total": sum(group.count for group in groups),
        "repeats": sum(int(group[5]) for group in groups),
        "unverified": sum(group.count for group in groups if not group.is_verified),
        "by_provider": _sums(groups, 0),
        "by_kind": _sums(groups, 1),
        "by_state": dict.fromkeys(STATES, 0) | _sums(groups, 2),
        "waiting": {"count": waiting, "oldest_received_at": iso_z(oldest) if waiting else None},
        "dead_letters": {"count": sum(dead.values()), "by_provider": dead, "jobs": dead_jobs or 0},
    }


def _pairs(session: Session, query: Any) -> list[tuple[str, int]]:
    return [(str(name), int(count)) for name, count in session.execute(query)]


def _sums(groups: Any, column: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for group in groups:
        found[group[column]] = found.get(group[column], 0) + group[4]
    return found


def _found(event: ProviderEvent | None) -> ProviderEvent:
    if event is None:
        raise ProviderEventNotFound
    return event


def _summary(event: ProviderEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "provider": event.provider,
        "provider_event_id": event.provider_event_id,
        "event_type": event.event_type,
        "kind": event.kind,
        "is_verified": event.is_verified,
        "state": event.state,
        "result": event.result,
        "payment_id": str(event.payment_id) if event.payment_id else None,
        "reference": event.reference,
        "provider_reference": event.provider_reference,
        "repeats": event.repeats,
        "received_at": iso_z(event.received_at),
        "processed_at": iso_z(event.processed_at) if event.processed_at else None,
    }


def _detail(event: ProviderEvent) -> dict[str, Any]:
    body, encoding = _readable(bytes(event.body))
    request = {"method": event.method, "query": event.query, "headers": event.headers}
    return _summary(event) | request | {"body": body, "body_encoding": encoding}


def _readable(body: bytes) -> tuple[str, str]:
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode("ascii"), "base64"
