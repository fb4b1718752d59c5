"""Pushes the event log to Socket.IO clients, in order, from the last event that was pushed.

It reads what the relay has committed, so nothing that holds up a push (Redis hanging, many clients' messages) holds up
publishing. Everything it does is safe to repeat: after a crash it pushes what it had not saved as pushed once more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
import psycopg2
import structlog

from app.events.connection import autocommit, connect, try_lock
from app.events.push_messages import PushMessage, push_of
from app.redis_client import Outage
from app.unit_of_work import is_unavailable

LOCK_ID: Final = 7_220_453_119
"""The advisory lock of the one that pushes: two at once would push out of order."""

BATCH: Final = 500
"""Events read and pushed in one round."""

RETRY_S: Final = 0.5
"""Between two attempts while Redis or the database is away, or another process pushes."""

SAVE_EVERY_S: Final = 1.0
"""How often `relay_state.pushed_through` is saved; a crash repeats the pushes of so many seconds."""

_READ: Final = """
SELECT s.pushed_through, e.* FROM relay_state s LEFT JOIN LATERAL (
  SELECT seq, type, object_id, data::text, at, hmac FROM events
  WHERE seq > CASE WHEN s.pushed_through = %(saved)s THEN %(pushed)s ELSE s.pushed_through END
  ORDER BY seq LIMIT %(limit)s) e ON true
ORDER BY e.seq
"""
"""One row at least. What is saved differs from what this process saved when the log has begun anew (`flask demo reset`)."""

log = structlog.get_logger("relay")


class Push(Protocol):
    """Delivers messages to Socket.IO clients of every process; raises when it cannot."""

    def push(self, messages: Sequence[PushMessage]) -> None: ...


class WakeUps(Protocol):
    """What the relay says: whether it is active, and that it has published something."""

    is_over: bool
    is_active: bool

    def wait(self, timeout_s: float | None) -> None:
        """Return when the relay says something, or after so many seconds."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A row of the log, with its data parsed."""

    seq: int
    type: str
    object_id: str
    data: dict[str, Any]
    at: datetime
    hmac: bytes

    @property
    def public_id(self) -> str:
        return "evt_" + self.hmac[:12].hex()


class PushLoop:
    """Runs on one connection of its own."""

    def __init__(self, config: Mapping[str, Any], *, pusher: Push) -> None:
        self._config = config
        self._pusher = pusher
        self._outage = Outage("push", "Socket.IO clients get the updates when Redis is available again.")
        self._connection: Any = None
        self._is_active = self._is_prevented = False
        self._pushed_through = self._saved_through = 0
        self._next_save = 0.0

    def run(self, wake_ups: WakeUps) -> None:
        """Until the relay is gone. It waits for a database that is away or takes no writes."""
        while not wake_ups.is_over:
            pause_s = None
            if wake_ups.is_active:
                try:
                    pause_s = self._push_all()
                except psycopg2.Error as error:
                    if not (isinstance(error, psycopg2.OperationalError) or is_unavailable(error)):
                        raise
                    log.warning("push.database_away", error=type(error).__name__)
                    self.close()
                    pause_s = RETRY_S
            else:
                self.close()
            wake_ups.wait(pause_s)
        self.close()

    def step(self) -> int:
        """Push the next events of the log, at most BATCH; how many, 0 also while another process or Redis prevents it."""
        self._is_prevented = not self._become_active()
        if self._is_prevented:
            return 0
        events = self._read()
        self._is_prevented = not self._try_push(events)
        if self._is_prevented or not events:
            return 0
        self._pushed_through = events[-1].seq
        self._save_when_due()
        return len(events)

    def close(self) -> None:
        """Save what was pushed and close the connection, which releases the lock."""
        if self._connection is None:
            return
        try:
            if self._is_active and self._pushed_through != self._saved_through:
                self._save()
            self._connection.close()
        except psycopg2.Error as error:
            log.info("push.close_failed", error=type(error).__name__)
        self._connection, self._is_active = None, False

    def _push_all(self) -> float | None:
        """Push what there is. Returns the seconds to wait without a wake-up; None: nothing is left to do."""
        while self.step() == BATCH:
            pass
        return RETRY_S if self._is_prevented else self._save_when_due()

    def _become_active(self) -> bool:
        if self._connection is None:
            self._connection = connect(self._config, name="malipo-push")
        if not self._is_active and try_lock(self._connection, LOCK_ID):
            with autocommit(self._connection) as cursor:
                cursor.execute("SELECT pushed_through FROM relay_state")
                self._pushed_through = self._saved_through = cursor.fetchone()[0]
            self._is_active = True
        return self._is_active

    def _read(self) -> list[LogEvent]:
        with autocommit(self._connection) as cursor:
            cursor.execute(
                _READ, {"saved": self._saved_through, "pushed": self._pushed_through, "limit": BATCH}
            )
            rows = cursor.fetchall()
        saved = rows[0][0]
        if saved != self._saved_through:
            self._pushed_through = self._saved_through = saved
            self._next_save = 0.0  # saved soon, so that it differs again when the log begins anew once more
        return [
            LogEvent(seq, event_type, object_id, orjson.loads(data), at, bytes(digest))
            for _, seq, event_type, object_id, data, at, digest in rows
            if seq is not None
        ]

    def _try_push(self, events: Sequence[LogEvent]) -> bool:
        messages = [
            message
            for e in events
            if (
                message := push_of(e.type, e.object_id, e.data, at=e.at, event_id=e.public_id, sequence=e.seq)
            )
        ]
        if not messages:
            return True
        try:
            self._pusher.push(messages)
        except Exception as error:  # noqa: BLE001 whatever failed, the log still has the events
            self._outage.begin(error)
            return False
        self._outage.end()
        return True

    def _save_when_due(self) -> float | None:
        """The seconds until the next save; None: everything is saved."""
        if self._pushed_through == self._saved_through:
            return None
        wait_s = self._next_save - time.monotonic()
        if wait_s > 0:
            return wait_s
        self._save()
        return None

    def _save(self) -> None:
        with autocommit(self._connection) as cursor:
            cursor.execute(
                "UPDATE relay_state SET pushed_through = %s WHERE pushed_through = %s",
                (self._pushed_through, self._saved_through),
            )
            if cursor.rowcount:
                self._saved_through = self._pushed_through
            else:
                self._pushed_through = (
                    self._saved_through
                )  # the log has begun anew: the next reading finds out
        self._next_save = time.monotonic() + SAVE_EVERY_S
