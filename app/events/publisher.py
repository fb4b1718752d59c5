"""Outbox → event log: one transaction takes rows out, numbers and chains them, and runs the reactions to them.

Only one publisher runs (the relay, holding an advisory lock on this very connection), so numbers have no gaps.

Rows are taken in the order of their ids. An id is given when a row is inserted, not when it is committed, so a lower
one may appear after a higher one. Events of one object must not be swapped by that: an id that was skipped is
remembered and asked for together with whatever comes next, in one statement. A transaction that took a later id of
the same object began after the earlier one was committed, so a statement that sees the later one sees both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from app.config.database import TRANSACTION_TIMEOUT_S
from app.events import chain
from app.events.append import append
from app.events.catalogue import EventType
from app.events.connection import autocommit
from app.events.reactions import FollowUp, Reaction

BATCH: Final = 4000
"""Outbox rows taken in one transaction."""

SWEEP_EVERY_S: Final = 1.0
"""The whole outbox is read this often, seconds, whatever the hint says."""

SKIPPED_LIFE_S: Final = TRANSACTION_TIMEOUT_S + 10
"""An id that has not appeared after this many seconds was rolled back: no transaction of the application lives longer."""

_TAKE: Final = """
DELETE FROM outbox o USING (
  SELECT id FROM outbox WHERE id = ANY (%(skipped)s)
  UNION (SELECT id FROM outbox WHERE id > %(after)s ORDER BY id LIMIT %(limit)s)) next
WHERE o.id = next.id
RETURNING o.id, o.tenant_id::text, o.type, o.object_id, o.actor, o.address, o.is_public, o.data::text, o.at,
  (o.data || (%(changes)s::jsonb -> o.type))::text
"""
"""The last column: the data of the row's follow-up event; null where the type has none."""


class Publisher:
    """Publishes over `connection`, a psycopg2 connection (not autocommit) of its own."""

    def __init__(self, connection: Any, key: bytes, *, reactions: Sequence[Reaction] = ()) -> None:
        self._connection = connection
        self._key = key
        self._reactions = reactions
        self._follow_ups = {
            event_type: reaction.follow_up
            for reaction in reactions
            for event_type in reaction.event_types
            if reaction.follow_up is not None
        }
        self._skipped: dict[int, float] = {}
        self._next_sweep = 0.0
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT CASE WHEN is_called THEN last_value ELSE 0 END, "
                "pg_current_xact_id()::text::bigint FROM outbox_id_seq"
            )
            self._hint, self._started_xid = cursor.fetchone()
        connection.rollback()
        # Until every transaction that ran at our start is over, ids below the hint may still appear. Our transaction got its
        # number after theirs; a snapshot's xmax would not do, it is the lowest that was not over, not the next one.
        self._is_catching_up = True

    def publish(self, now: datetime) -> int:
        """Take what is there, at most BATCH rows and those skipped before, and commit; how many events they made."""
        is_sweep = self._is_catching_up or time.monotonic() >= self._next_sweep
        if not is_sweep and not self._skipped and not self._has_newer_ids():
            return 0
        with self._connection.cursor() as cursor:
            is_caught_up = self._is_catching_up and self._all_older_are_over(cursor)
            rows = self._take(cursor, after=0 if is_sweep else self._hint, now=now)
            published = self._write(cursor, rows, now) if rows else 0
        self._connection.commit()
        if is_sweep:
            self._next_sweep = time.monotonic() + SWEEP_EVERY_S
        if is_caught_up and len(rows) < BATCH:
            self._is_catching_up = False
        self._remember_skipped([row[0] for row in rows])
        return published

    def _has_newer_ids(self) -> bool:
        """Whether an id above the hint was given. One round trip; a transaction that finds nothing takes three."""
        with autocommit(self._connection) as cursor:
            cursor.execute("SELECT is_called AND last_value > %s FROM outbox_id_seq", (self._hint,))
            return bool(cursor.fetchone()[0])

    def _all_older_are_over(self, cursor: Any) -> bool:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return bool(cursor.fetchone()[0] >= self._started_xid)

    def _take(self, cursor: Any, *, after: int, now: datetime) -> list[tuple[Any, ...]]:
        cursor.execute(
            _TAKE,
            {
                "skipped": list(self._skipped),
                "after": after,
                "limit": BATCH,
                "changes": orjson.dumps(
                    {
                        event_type.value: follow_up.changes(now)
                        for event_type, follow_up in self._follow_ups.items()
                    }
                ).decode(),
            },
        )
        return sorted(cursor.fetchall())

    def _write(self, cursor: Any, rows: Sequence[tuple[Any, ...]], now: datetime) -> int:
        """Number, chain and insert the rows, each with its follow-up right behind it; then run the reactions.

        Returns how many events there are.
        """
        cursor.execute("SELECT seq, hmac FROM events ORDER BY seq DESC LIMIT 1")
        seq, previous = cursor.fetchone() or (0, chain.GENESIS)
        previous = bytes(previous)
        links: list[tuple[chain.Link, bytes]] = []
        for _, *columns, next_data in rows:
            link = chain.Link(seq + len(links) + 1, *columns)
            steps = [link]
            if next_data is not None:
                steps.append(_follow_up(link, self._follow_ups[EventType(link.type)], next_data, now))
            for step in steps:
                previous = chain.seal(self._key, previous, step)
                links.append((step, previous))
        append(cursor, links)
        self._react(cursor, [link for link, _ in links], now)
        return len(links)

    def _react(self, cursor: Any, links: Sequence[chain.Link], now: datetime) -> None:
        for reaction in self._reactions:
            if concerned := [link for link in links if link.type in reaction.event_types]:
                reaction.react(cursor, concerned, now)

    def _remember_skipped(self, taken: Sequence[int]) -> None:
        instant = time.monotonic()
        for row_id in taken:
            self._skipped.pop(row_id, None)
        top = taken[-1] if taken else self._hint
        if top > self._hint:
            seen = set(taken)
            self._skipped |= {row_id: instant for row_id in range(self._hint + 1, top) if row_id not in seen}
            self._hint = top
        self._skipped = {row_id: at for row_id, at in self._skipped.items() if instant - at < SKIPPED_LIFE_S}


def _follow_up(link: chain.Link, follow_up: FollowUp, data_text: str, now: datetime) -> chain.Link:
    return replace(
        link,
        seq=link.seq + 1,
        type=follow_up.type,
        actor="system",
        address=None,
        data_text=data_text,
        at=now,
    )
