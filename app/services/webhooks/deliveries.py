"""Which deliveries are sent now, by which worker, and what becomes of them.

Guarantees: at most AT_ONCE deliveries of one endpoint are under way, whichever processes send them; a delivery is sent first only when
every earlier one of the same endpoint and object has had its first attempt; a delivery whose worker was killed is sent again when its
lease has ended, with the same id; what a worker reports after its lease has ended is a fact about the endpoint, and moves no delivery.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import select, text, update
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
"""Deliveries of one endpoint under way."""

LEASE: Final = timedelta(seconds=30)
"""How long a delivery is one worker's: longer than a connection's deadline and the writing of its outcome."""

GONE: Final = 410
"""An endpoint that answers so wants nothing more."""

log = structlog.get_logger("webhooks")

_MAY_BE_SENT: Final = """
    n.endpoint_id = e.id AND n.state = 'due' AND n.next_at <= :now AND (n.leased_until IS NULL OR n.leased_until <= :now)
    AND NOT EXISTS (SELECT FROM webhook_deliveries b WHERE b.endpoint_id = n.endpoint_id AND b.object_id = n.object_id
      AND b.state = 'due' AND b.attempts = 0 AND b.event_seq < n.event_seq)"""
_UNDER_WAY: Final = (
    "(SELECT count(*) FROM webhook_deliveries u WHERE u.endpoint_id = e.id AND u.leased_until > :now)"
)

_LOCK_ENDPOINTS: Final = text(f"""
WITH RECURSIVE waiting AS (
  (SELECT endpoint_id FROM webhook_deliveries WHERE state = 'due' ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.endpoint_id FROM webhook_deliveries d
          WHERE d.state = 'due' AND d.endpoint_id > w.endpoint_id ORDER BY d.endpoint_id LIMIT 1)
  FROM waiting w WHERE w.endpoint_id IS NOT NULL)
SELECT e.id, e.is_enabled AND e.deleted_at IS NULL AS is_open
FROM waiting w JOIN webhook_endpoints e ON e.id = w.endpoint_id
  CROSS JOIN LATERAL (
    SELECT n.next_at FROM webhook_deliveries n WHERE {_MAY_BE_SENT} ORDER BY n.next_at, n.event_seq LIMIT 1) first
WHERE (e.failing_since IS NULL OR :with_failing) AND {_UNDER_WAY} < :at_once
ORDER BY first.next_at LIMIT :limit FOR NO KEY UPDATE OF e SKIP LOCKED
""")  # noqa: S608 written here
"""Endpoints that have something that may be sent now, a few index look-ups each: a long queue of one hides no other, nor does one that
hangs. Locked, so that the next statement, which sees all that was committed by then, counts what is under way for this claim alone."""

_CLAIM: Final = text(f"""
UPDATE webhook_deliveries d SET leased_until = :until, fence = d.fence + 1
FROM (
  SELECT next.id FROM unnest(CAST(:endpoints AS uuid[])) e(id) CROSS JOIN LATERAL (
    SELECT n.id, n.next_at, n.event_seq FROM webhook_deliveries n WHERE {_MAY_BE_SENT}
    ORDER BY n.next_at, n.event_seq LIMIT greatest(0, :at_once - {_UNDER_WAY})) next
  ORDER BY next.next_at, next.event_seq LIMIT :limit) chosen
WHERE d.id = chosen.id RETURNING d.id
""")  # noqa: S608 written here


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker sends; `fence` proves until the lease ends that it still may. number: of the attempt."""

    id: uuid.UUID
    fence: int
    number: int
    endpoints: int
    is_replay: bool
    endpoint: WebhookEndpoint
    event: LoggedEvent


def claim(limit: int, *, with_failing: bool = True) -> Sequence[Claimed]:
    """At most `limit` deliveries whose time has come. with_failing: also of endpoints whose last attempt failed."""

    def work(session: Session) -> Sequence[Claimed]:
        now = clock.now()
        values = {"now": now, "limit": limit, "at_once": AT_ONCE}
        found = session.execute(_LOCK_ENDPOINTS, values | {"with_failing": with_failing}).all()
        closed = [row.id for row in found if not row.is_open]
        if closed:  # an event was published while the endpoint was being disabled
            cancel(session, closed, now=now)
        if not (open_ones := [row.id for row in found if row.is_open]):
            return ()
        chosen = session.scalars(_CLAIM, values | {"endpoints": open_ones, "until": now + LEASE}).all()
        return _loaded(session, chosen) if chosen else ()

    return transaction(work)


def finish(claimed: Claimed, outcome: Outcome, *, began: datetime) -> None:
    """Store the attempt, and what follows from it."""

    def work(session: Session) -> None:
        now = clock.now()
        because = _note(session, claimed, outcome, now)
        state, next_at = _what_follows(claimed, outcome, now)
        is_ours = _move(session, claimed, state, next_at=next_at, now=now)
        session.add(_attempt(claimed, outcome, began))
        if because is not None:
            disable(session, claimed.endpoint.id, because=because, now=now, actor=SYSTEM)
        log.info(
            "webhook.sent",
            delivery=str(claimed.id),
            number=claimed.number,
            status=outcome.status,
            error=outcome.error,
            state=state,
            is_ours=is_ours,
        )

    transaction(work)


def _what_follows(claimed: Claimed, outcome: Outcome, now: datetime) -> tuple[DeliveryState, datetime | None]:
    if outcome.is_success:
        return DeliveryState.DELIVERED, None
    next_at = schedule.next_at(claimed.number, now=now, retry_after=outcome.retry_after)
    if next_at is None or outcome.status == GONE:
        return DeliveryState.DEAD, None
    return DeliveryState.DUE, next_at


def _note(session: Session, claimed: Claimed, outcome: Outcome, now: datetime) -> Because | None:
    """Since when the endpoint has failed; why it is to be disabled, if it is. Before the delivery is changed: endpoints are
    locked first, as they are when deliveries are claimed."""
    if outcome.is_success:
        if claimed.endpoint.failing_since is not None:
            locked(session, claimed.endpoint.id).failing_since = None
        return None
    endpoint = locked(session, claimed.endpoint.id)
    endpoint.failing_since = endpoint.failing_since or now
    if outcome.status == GONE:
        return Because.GONE
    return Because.FAILING if now - endpoint.failing_since >= schedule.FAILING_LIFE else None


def _move(
    session: Session, claimed: Claimed, state: DeliveryState, *, next_at: datetime | None, now: datetime
) -> bool:
    """False: the lease has ended and another worker has it. A delivery that arrived after it was cancelled is delivered."""
    from_states = [DeliveryState.DUE]
    if state is DeliveryState.DELIVERED:
        from_states.append(DeliveryState.CANCELLED)
    values: dict[str, Any] = {
        "state": state,
        "attempts": WebhookDelivery.attempts + 1,
        "leased_until": None,
        "finished_at": None if state is DeliveryState.DUE else now,
    }
    moved = session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.id == claimed.id,
            WebhookDelivery.fence == claimed.fence,
            WebhookDelivery.state.in_(from_states),
        )
        .values(values | ({"next_at": next_at} if next_at else {}))
        .returning(WebhookDelivery.id)
    )
    return moved.first() is not None


def _attempt(claimed: Claimed, outcome: Outcome, began: datetime) -> WebhookAttempt:
    return WebhookAttempt(
        id=ids.uuid7(),
        delivery_id=claimed.id,
        endpoint_id=claimed.endpoint.id,
        tenant_id=claimed.endpoint.tenant_id,
        number=claimed.number,
        at=began,
        duration_ms=outcome.duration_ms,
        address=outcome.address,
        status=outcome.status,
        error=outcome.error,
        answer=outcome.answer,
        is_by_hand=claimed.is_replay,
    )


def _loaded(session: Session, chosen: Sequence[uuid.UUID]) -> Sequence[Claimed]:
    wanted = (
        select(WebhookDelivery, WebhookEndpoint, Event)
        .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .join(Event, Event.seq == WebhookDelivery.event_seq)
        .where(WebhookDelivery.id.in_(chosen))
        .order_by(WebhookDelivery.next_at, WebhookDelivery.event_seq)
    )
    return [
        Claimed(
            delivery.id,
            delivery.fence,
            delivery.attempts + 1,
            delivery.endpoints,
            delivery.is_replay,
            endpoint,
            logged(event),
        )
        for delivery, endpoint, event in session.execute(wanted)
    ]


def logged(event: Event) -> LoggedEvent:
    """The event as messages are made from it."""
    return LoggedEvent(event.public_id, event.type, event.object_id, event.data, event.at)
