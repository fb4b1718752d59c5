"""A tenant's events, as its merchants read them: the newest, or those behind a number, which may be waited for.

Guarantees: whoever asks again and again for those behind the last number it was given misses none and gets none twice: the log's numbers
have no gaps, and an event is there when a later one is.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from app.events import webhook_messages
from app.events.webhook_messages import LoggedEvent
from app.models.event import Event
from app.models.webhook import DeliveryState, WebhookDelivery
from app.services.webhooks.deliveries import logged
from app.unit_of_work import reading

LISTED_EVENTS: Final = webhook_messages.SENT_EVENTS - {webhook_messages.TESTED}
"""A test message is for one endpoint."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """type: as merchants know it. since: those of before were reset."""

    tenant_id: uuid.UUID
    type: str | None = None
    since: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        yield Event.tenant_id == self.tenant_id
        yield Event.type.in_(LISTED_EVENTS)
        if self.type is not None:
            yield _is_of(self.type)
        if self.since is not None:
            yield Event.at >= self.since


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, each with how many endpoints it is still to be sent to. after: the number to go on behind."""

    events: Sequence[tuple[LoggedEvent, int]]
    has_more: bool
    after: int


def newest(wanted: EventFilter, *, limit: int) -> EventPage:
    """The newest first; `after` is the log's end, so that what comes can be asked for from there on."""
    with reading() as session:
        query = select(Event).where(*wanted.conditions()).order_by(Event.seq.desc())
        rows = session.scalars(query.limit(limit + 1)).all()
        end = _end(session)
        return EventPage(_counted(session, rows[:limit]), len(rows) > limit, end)


def after(wanted: EventFilter, number: int, *, limit: int) -> EventPage:
    """Those behind the number, the oldest first."""
    with reading() as session:
        query = select(Event).where(*wanted.conditions(), Event.seq > number).order_by(Event.seq)
        rows = session.scalars(query.limit(limit + 1)).all()
        has_more = len(rows) > limit
        # Where nothing more is there, what was skipped is not searched again.
        end = rows[limit - 1].seq if has_more else max(number, _end(session))
        return EventPage(_counted(session, rows[:limit]), has_more, end)


def _end(session: Session) -> int:
    """The number of the latest event of the log, whoever's it is."""
    return session.scalar(select(func.max(Event.seq))) or 0


def _is_of(type: str) -> ColumnElement[bool]:
    names = [event for event, name in webhook_messages.TYPES.items() if name == type]
    is_simulated = and_(Event.type == webhook_messages.SIMULATED, Event.data["type"].astext == type)
    return or_(Event.type.in_(names), is_simulated)


def _counted(session: Session, rows: Sequence[Event]) -> Sequence[tuple[LoggedEvent, int]]:
    """Each event with how many endpoints it is still to be sent to."""
    waiting = (
        select(WebhookDelivery.event_seq, func.count())
        .where(
            WebhookDelivery.event_seq.in_([row.seq for row in rows]),
            WebhookDelivery.state == DeliveryState.DUE,
        )
        .group_by(WebhookDelivery.event_seq)
    )
    counts: dict[int, int] = dict(session.execute(waiting).all()) if rows else {}
    return [(logged(row), counts.get(row.seq, 0)) for row in rows]
