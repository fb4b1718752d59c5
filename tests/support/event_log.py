"""Outbox rows written directly, and the events they became in the log."""

from __future__ import annotations

from typing import Any

from app import clock
from app.events.publisher import Publisher
from tests.support.database import one, run


class NoPushes:
    """For a relay whose events are not pushed, or whose test pushes them itself."""

    def wake(self) -> None:
        """There is no process to wake."""

    def stand_by(self) -> None:
        """There is no process to stop."""

    def check(self) -> None:
        """There is no process to be missed."""


def published(publisher: Publisher, opened: Any) -> list[str]:
    """Publish once; the objects of the events that became, in the log's order."""
    head = one(opened, "SELECT coalesce(max(seq), 0) FROM events")
    count = publisher.publish(clock.now())
    found = [row[0] for row in run(opened, "SELECT object_id FROM events WHERE seq > %s ORDER BY seq", head)]
    assert len(found) == count
    return found


def record(opened: Any, object_id: str, step: int, *, event_type: str = "wallet.opened") -> int:
    """Insert one outbox row as the application does; its id."""
    row_id: int = one(
        opened,
        "INSERT INTO outbox (type, object_id, actor, address, is_public, data, at) "
        "VALUES (%s, %s, 'system', NULL, true, jsonb_build_object('step', %s::int), now()) RETURNING id",
        event_type,
        object_id,
        step,
    )
    return row_id


def steps(opened: Any) -> dict[str, list[int]]:
    """The log's steps of each object, in the log's order."""
    found: dict[str, list[int]] = {}
    for object_id, step in run(opened, "SELECT object_id, (data->>'step')::int FROM events ORDER BY seq"):
        found.setdefault(object_id, []).append(step)
    return found


def numbers(opened: Any) -> list[int]:
    return [seq for (seq,) in run(opened, "SELECT seq FROM events ORDER BY seq")]
