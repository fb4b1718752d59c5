"""Which deliveries are sent now, by which worker, and what becomes of them.

A worker leases an endpoint and sends its deliveries in lanes, one after another in each; all events of an object are in one lane.

Guarantees: an endpoint is one worker's at a time, so at most AT_ONCE of its deliveries are under way, whichever processes send them; a
delivery is sent first only when every earlier one of the same endpoint and object has had its first attempt; what a killed worker had not
written down is sent again when its lease has ended, with the same id; what a worker reports after its lease has ended is a fact about the
endpoint, and moves no delivery.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Any, Final

import structlog
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from app import clock, ids
from app.events.webhook_messages import LoggedEvent
from app.models.event import Event
from app.models.webhook import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from app.principal import SYSTEM
from app.services.webhooks import schedule
from app.services.webhooks.connection import Outcome
from app.services.webhooks.endpoints import Because, cancel, disable, locked
from app.unit_of_work import transaction

AT_ONCE: Final = 2
"""Lanes of an endpoint: deliveries of it that are under way."""

LEASE: Final = timedelta(seconds=20)
"""How long an endpoint is one worker's: longer than a run, the connection that it ends with, and the writing of its outcome."""

BATCH: Final = 100
"""First attempts of a run, and as many repeated ones."""

GONE: Final = 410
"""An endpoint that answers so wants nothing more."""

log = structlog.get_logger("webhooks")

_LOCK_ENDPOINTS: Final = text("""
WITH RECURSIVE waiting AS (
  (SELECT endpoint_id FROM webhook_deliveries WHERE state = 'due' ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.endpoint_id FROM webhook_deliveries d
          WHERE d.state = 'due' AND d.endpoint_id > w.endpoint_id ORDER BY d.endpoint_id LIMIT 1)
  FROM waiting w WHERE w.endpoint_id IS NOT NULL)
SELECT e.id, e.is_enabled AND e.deleted_at IS NULL AS is_open
FROM waiting w JOIN webhook_endpoints e ON e.id = w.endpoint_id
  CROSS JOIN LATERAL (SELECT least(
    (SELECT n.next_at FROM webhook_deliveries n
     WHERE n.endpoint_id = e.id AND n.state = 'due' AND n.attempts = 0 ORDER BY n.event_seq LIMIT 1),
    (SELECT n.next_at FROM webhook_deliveries n
     WHERE n.endpoint_id = e.id AND n.state = 'due' AND n.attempts > 0 AND n.next_at <= :now
     ORDER BY n.next_at LIMIT 1)) AS since) oldest
WHERE oldest.since IS NOT NULL AND (e.failing_since IS NULL OR :with_failing)
  AND (e.leased_until IS NULL OR e.leased_until <= :now)
ORDER BY oldest.since LIMIT :limit FOR NO KEY UPDATE OF e SKIP LOCKED
""")
"""Endpoints that have something to be sent now, a few index look-ups each: a long queue of one hides no other. They are locked, and their
leases looked at again when they are."""

_CHOOSE: Final = text("""
SELECT c.id FROM unnest(CAST(:endpoints AS uuid[])) e(id) CROSS JOIN LATERAL (
  (SELECT n.id FROM webhook_deliveries n
   WHERE n.endpoint_id = e.id AND n.state = 'due' AND n.attempts = 0 ORDER BY n.event_seq LIMIT :batch)
  UNION ALL
  (SELECT n.id FROM webhook_deliveries n
   WHERE n.endpoint_id = e.id AND n.state = 'due' AND n.attempts > 0 AND n.next_at <= :now
   ORDER BY n.next_at, n.event_seq LIMIT :batch)) c
""")
"""First attempts in the order of the log, so that what is chosen has all that comes before it."""

_MOVE: Final = text("""
UPDATE webhook_deliveries d SET state = c.state, attempts = d.attempts + 1, next_at = coalesce(c.next_at, d.next_at),
  finished_at = CASE WHEN c.state = 'due' THEN NULL ELSE CAST(:now AS timestamptz) END
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:next_ats AS timestamptz[])) c(id, state, next_at)
WHERE d.id = c.id AND (d.state = 'due' OR d.state = 'cancelled' AND c.state = 'delivered')
""")
"""What arrived after it was cancelled is delivered."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker sends. number: of the attempt."""

    id: uuid.UUID
    number: int
    endpoints: int
    is_replay: bool
    endpoint: WebhookEndpoint
    event: LoggedEvent


@dataclass(frozen=True, slots=True)
class Run:
    """An endpoint that is this worker's; `fence` proves until the lease ends that it still is. Each lane is sent in its order."""

    endpoint: WebhookEndpoint
    fence: int
    lanes: Sequence[Sequence[Claimed]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that has ended. began: when."""

    claimed: Claimed
    outcome: Outcome
    began: datetime


def claim(threads: int, *, with_failing: bool = True) -> Sequence[Run]:
    """What is to be sent now by so many threads, one for a lane. with_failing: also of endpoints whose last attempt failed."""
    lanes = min(AT_ONCE, threads)

    def work(session: Session) -> Sequence[Run]:
        now = clock.now()
        values = {"now": now, "limit": threads // lanes, "with_failing": with_failing}
        found = session.execute(_LOCK_ENDPOINTS, values).all()
        closed = [row.id for row in found if not row.is_open]
        if closed:  # an event was published while the endpoint was being disabled
            cancel(session, closed, now=now)
        return _leased(session, [row.id for row in found if row.is_open], lanes, now)

    return transaction(work) if lanes else ()


def finish(run: Run, attempts: Sequence[Attempt]) -> bool:
    """Store the attempts, and what follows from them. False: the endpoint is not this worker's any more, or wants nothing more."""

    def work(session: Session) -> bool:
        now = clock.now()
        endpoint = locked(session, run.endpoint.id)
        because = _note(endpoint, attempts, now)
        is_ours = endpoint.fence == run.fence
        following = [_what_follows(one, now) for one in attempts]
        if is_ours:
            session.execute(_MOVE, _moves(attempts, following, now))
        session.execute(insert(WebhookAttempt), [_row(one) for one in attempts])
        if because is not None:
            disable(session, endpoint.id, because=because, now=now, actor=SYSTEM)
        _report(attempts, following, is_ours=is_ours)
        return is_ours and endpoint.is_enabled and endpoint.deleted_at is None

    return transaction(work)


def release(run: Run) -> None:
    """The endpoint is any worker's again."""
    ours = (WebhookEndpoint.id == run.endpoint.id, WebhookEndpoint.fence == run.fence)
    transaction(
        lambda session: session.execute(update(WebhookEndpoint).where(*ours).values(leased_until=None))
    )


def _leased(session: Session, endpoint_ids: Sequence[uuid.UUID], lanes: int, now: datetime) -> Sequence[Run]:
    if not endpoint_ids:
        return ()
    chosen = session.scalars(_CHOOSE, {"endpoints": endpoint_ids, "now": now, "batch": BATCH}).all()
    found: dict[uuid.UUID, list[tuple[WebhookDelivery, Event]]] = {}
    wanted = select(WebhookDelivery, Event).join(Event, Event.seq == WebhookDelivery.event_seq)
    for delivery, event in session.execute(wanted.where(WebhookDelivery.id.in_(chosen))):
        found.setdefault(delivery.endpoint_id, []).append((delivery, event))
    leased = session.scalars(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id.in_(list(found)))
        .values(leased_until=now + LEASE, fence=WebhookEndpoint.fence + 1)
        .returning(WebhookEndpoint)
        .execution_options(populate_existing=True)
    ).all()
    by_id = {endpoint.id: endpoint for endpoint in leased}
    return [
        Run(
            by_id[endpoint_id],
            by_id[endpoint_id].fence,
            _lanes(by_id[endpoint_id], found[endpoint_id], lanes),
        )
        for endpoint_id in endpoint_ids
        if endpoint_id in by_id
    ]


def _lanes(
    endpoint: WebhookEndpoint, found: Iterable[tuple[WebhookDelivery, Event]], count: int
) -> Sequence[Sequence[Claimed]]:
    """First attempts and repeated ones take turns, so that neither waits for all of the others."""
    first = sorted((one for one in found if not one[0].attempts), key=lambda one: one[0].event_seq)
    again = sorted((one for one in found if one[0].attempts), key=lambda one: one[0].next_at)
    lanes: list[list[Claimed]] = [[] for _ in range(count)]
    lane_of: dict[str, list[Claimed]] = {}
    for one in chain.from_iterable(zip_longest(first, again)):
        if one is None:
            continue
        delivery, event = one
        lane = lane_of.setdefault(delivery.object_id, lanes[len(lane_of) % count])
        lane.append(
            Claimed(
                delivery.id,
                delivery.attempts + 1,
                delivery.endpoints,
                delivery.is_replay,
                endpoint,
                logged(event),
            )
        )
    return [lane for lane in lanes if lane]


def _note(endpoint: WebhookEndpoint, attempts: Sequence[Attempt], now: datetime) -> Because | None:
    """Since when the endpoint has failed; why it is to be disabled, if it is."""
    for one in attempts:
        endpoint.failing_since = None if one.outcome.is_success else endpoint.failing_since or now
    if any(one.outcome.status == GONE for one in attempts):
        return Because.GONE
    has_failed = endpoint.failing_since is not None and now - endpoint.failing_since >= schedule.FAILING_LIFE
    return Because.FAILING if has_failed else None


def _what_follows(attempt: Attempt, now: datetime) -> tuple[DeliveryState, datetime | None]:
    outcome = attempt.outcome
    if outcome.is_success:
        return DeliveryState.DELIVERED, None
    next_at = schedule.next_at(attempt.claimed.number, now=now, retry_after=outcome.retry_after)
    if next_at is None or outcome.status == GONE:
        return DeliveryState.DEAD, None
    return DeliveryState.DUE, next_at


def _moves(
    attempts: Sequence[Attempt], following: Sequence[tuple[DeliveryState, datetime | None]], now: datetime
) -> Mapping[str, Any]:
    return {
        "ids": [one.claimed.id for one in attempts],
        "states": [state.value for state, _ in following],
        "next_ats": [next_at for _, next_at in following],
        "now": now,
    }


def _row(attempt: Attempt) -> Mapping[str, Any]:
    claimed, outcome = attempt.claimed, attempt.outcome
    return {
        "id": ids.uuid7(),
        "delivery_id": claimed.id,
        "endpoint_id": claimed.endpoint.id,
        "tenant_id": claimed.endpoint.tenant_id,
        "number": claimed.number,
        "at": attempt.began,
        "duration_ms": outcome.duration_ms,
        "address": outcome.address,
        "status": outcome.status,
        "error": outcome.error,
        "answer": outcome.answer,
        "is_by_hand": claimed.is_replay,
    }


def _report(
    attempts: Sequence[Attempt],
    following: Sequence[tuple[DeliveryState, datetime | None]],
    *,
    is_ours: bool,
) -> None:
    for one, (state, _) in zip(attempts, following, strict=True):
        log.info(
            "webhook.sent",
            delivery=str(one.claimed.id),
            number=one.claimed.number,
            status=one.outcome.status,
            error=one.outcome.error,
            state=state,
            is_ours=is_ours,
        )


def logged(event: Event) -> LoggedEvent:
    """The event as messages are made from it."""
    return LoggedEvent(event.public_id, event.type, event.object_id, event.data, event.at)
