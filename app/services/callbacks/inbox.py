"""Callbacks as operators see them: lists, one in full, processing once more, numbers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, ids, queue
from app.errors import ProviderEventNotFound, ProviderEventNotRetryable
from app.events import outbox
from app.events.catalogue import EventType
from app.models.job import Job, JobKind, JobState
from app.models.provider_event import ProviderEvent, ProviderEventState
from app.principal import Principal
from app.unit_of_work import reading, transaction


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What a list shows; `before`: only events older than this one."""

    provider: str | None = None
    state: str | None = None
    payment_id: uuid.UUID | None = None
    before: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Callbacks, newest first. next_before: the filter's `before` of the next page; None: there is none."""

    items: Sequence[ProviderEvent]
    next_before: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class CallbackStatistics:
    """Callbacks of the last `hours`, and those that wait or are dead now, whatever their age.

    waiting_since: when the oldest one that waits was received. dead_jobs: dead jobs of processing callbacks.
    """

    hours: int
    total: int
    repeats: int
    unverified: int
    by_provider: Mapping[str, int]
    by_kind: Mapping[str, int]
    by_state: Mapping[str, int]
    waiting: int
    waiting_since: datetime | None
    dead_by_provider: Mapping[str, int]
    dead_jobs: int


def list_events(criteria: EventFilter, *, limit: int) -> EventPage:
    """Up to `limit` callbacks."""
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
    return EventPage(shown, shown[-1].id if len(rows) > limit else None)


def get_event(event_id: uuid.UUID) -> ProviderEvent:
    """One callback. Raises ProviderEventNotFound."""
    with reading() as session:
        return _found(session.get(ProviderEvent, event_id))


def retry(event_id: uuid.UUID, *, operator: Principal) -> ProviderEvent:
    """Make a callback due again, now. Raises ProviderEventNotFound, ProviderEventNotRetryable when it was processed.

    One that still waits only runs sooner. Processing queries the provider first, so a retry cannot move money twice.
    """

    def work(session: Session) -> ProviderEvent:
        event = _found(session.get(ProviderEvent, event_id, with_for_update=True))
        if event.state == ProviderEventState.PROCESSED:
            raise ProviderEventNotRetryable
        now, before = clock.now(), event.state
        event.state, event.result, event.processed_at = ProviderEventState.RECEIVED, None, None
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
        return event

    return transaction(work)


def statistics(*, hours: int) -> CallbackStatistics:
    """Callbacks of the last `hours` by provider, kind and state, and all that are dead or wait now."""
    since = ids.first_of(clock.now() - timedelta(hours=hours))
    columns = (ProviderEvent.provider, ProviderEvent.kind, ProviderEvent.state, ProviderEvent.is_verified)
    recent = select(*columns, func.count(), func.sum(ProviderEvent.repeats)).where(ProviderEvent.id >= since)
    with reading() as session:
        groups: Any = session.execute(recent.group_by(*columns)).all()
        waiting, oldest = session.execute(
            select(func.count(), func.min(ProviderEvent.received_at)).where(
                ProviderEvent.state == ProviderEventState.RECEIVED
            )
        ).one()
        dead = session.execute(
            select(ProviderEvent.provider, func.count())
            .where(ProviderEvent.state == ProviderEventState.DEAD)
            .group_by(ProviderEvent.provider)
        ).all()
        dead_jobs = session.scalar(
            select(func.count()).where(Job.kind == JobKind.PROVIDER_EVENT_PROCESS, Job.state == JobState.DEAD)
        )
    return CallbackStatistics(
        hours=hours,
        total=sum(group.count for group in groups),
        repeats=sum(int(group[5]) for group in groups),
        unverified=sum(group.count for group in groups if not group.is_verified),
        by_provider=_sums(groups, 0),
        by_kind=_sums(groups, 1),
        by_state=dict.fromkeys((state.value for state in ProviderEventState), 0) | _sums(groups, 2),
        waiting=waiting,
        waiting_since=oldest,
        dead_by_provider={name: int(count) for name, count in dead},
        dead_jobs=dead_jobs or 0,
    )


def _sums(groups: Any, column: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for group in groups:
        found[group[column]] = found.get(group[column], 0) + group[4]
    return found


def _found(event: ProviderEvent | None) -> ProviderEvent:
    if event is None:
        raise ProviderEventNotFound
    return event
