"""The event log for audits: its integrity, and what happened to an object."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.events import chain
from app.models.event import Event
from app.unit_of_work import reading

PAGE: Final = 5000


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which events a list shows; `before`: only those with a lower sequence number."""

    type: str | None = None
    object_id: str | None = None
    tenant_id: uuid.UUID | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Events, newest first. next_before: the filter's `before` of the next page; None: there is none."""

    items: Sequence[Event]
    next_before: int | None


def list_events(criteria: LogFilter, *, limit: int) -> LogPage:
    """Up to `limit` events."""
    query = select(Event).order_by(Event.seq.desc()).limit(limit + 1)
    if criteria.type is not None:
        query = query.where(Event.type == criteria.type)
    if criteria.object_id is not None:
        query = query.where(Event.object_id == criteria.object_id)
    if criteria.tenant_id is not None:
        query = query.where(Event.tenant_id == criteria.tenant_id)
    if criteria.before is not None:
        query = query.where(Event.seq < criteria.before)
    with reading() as session:
        rows = list(session.scalars(query))
    shown = rows[:limit]
    return LogPage(shown, shown[-1].seq if len(rows) > limit else None)


def verify(key: str, *, anchors: Path | None) -> tuple[int, chain.Break | None]:
    """The number of rows read and the first break, walking the log from its beginning; with the anchors kept in a folder."""
    with reading() as session:
        counted = _Counted(_rows(session))
        found = chain.verify(key.encode(), counted, anchors=chain.read_anchors(anchors) if anchors else ())
    return counted.count, found


class _Counted:
    def __init__(self, rows: Iterator[tuple[chain.Link, bytes]]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[tuple[chain.Link, bytes]]:
        for row in self._rows:
            self.count += 1
            yield row


def _rows(session: Session) -> Iterator[tuple[chain.Link, bytes]]:
    """Pages, each a statement of its own, so that no snapshot is held for long."""
    last = -1
    while True:
        page = session.execute(
            text(
                "SELECT seq, tenant_id::text, type, object_id, actor, address, is_public, data::text, at, hmac "
                "FROM events WHERE seq > :last ORDER BY seq LIMIT :page"
            ),
            {"last": last, "page": PAGE},
        ).all()
        session.rollback()
        for *columns, sealed in page:
            link = chain.Link(*columns)
            last = link.seq
            yield link, bytes(sealed)
        if len(page) < PAGE:
            return
