"""The relay: the one process that publishes, folds, pushes and hands due work to Celery.

One is active, the one whose connection holds the advisory lock; others stand by. Everything it does is safe
to repeat: what was committed is in the tables, what was not is still in the outbox.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg2
import structlog
from sqlalchemy.engine import make_url

from app import clock
from app.events import chain
from app.events.publisher import BATCH, PublishedEvent, Publisher, autocommit
from app.events.push_messages import PushMessage, push_of
from app.events.reactions import Reaction
from app.redis_client import Outage

LOCK_ID: Final = 7_220_453_118
"""The advisory lock of the active relay; /health/ready looks for it."""

PAUSE_S: Final = 0.01
"""Between two rounds: a transaction costs nearly as much for one event as for a dozen."""

IDLE_PAUSE_S: Final = 0.025
IDLE_AFTER_S: Final = 1.0
"""The pause when nothing was published for so long."""

FOLD_EVERY_S: Final = 0.1
FOLD_BATCH: Final = 2000
HAND_OVER_EVERY_S: Final = 0.2
HAND_OVER_AGAIN_S: Final = 15.0
"""A job handed to Celery and not leased within this time is handed over again."""
SAVE_EVERY_S: Final = 1.0
ANCHOR_EVERY_S: Final = 60.0
PUSH_RETRY_S: Final = 0.5
CATCH_UP_BATCH: Final = 500

log = structlog.get_logger("relay")


class Push(Protocol):
    """Delivers messages to Socket.IO clients of every process; raises when it cannot."""

    def push(self, messages: Sequence[PushMessage]) -> None: ...


class Relay:
    """Runs on one connection of its own. `hand_over` gives a job's id to Celery."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        pusher: Push,
        hand_over: Callable[[uuid.UUID], None],
        reactions: Sequence[Reaction],
    ) -> None:
        url = make_url(config["SQLALCHEMY_DATABASE_URI"])
        self._connect_args = url.translate_connect_args(username="user", database="dbname") | dict(url.query)
        self._connect_args |= config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"] | {
            "application_name": "malipo-relay"
        }
        self._key = config["AUDIT_KEY"].encode()
        self._anchors = Path(config["VAR_DIR"]) / "audit"
        self._pusher = pusher
        self._hand_over = hand_over
        self._reactions = reactions
        self._handed: dict[tuple[uuid.UUID, datetime], float] = {}
        self._timers: dict[str, float] = {}
        self._push_outage = Outage("push", "Socket.IO clients get the updates when Redis is available again.")
        self._broker_outage = Outage("job_queue", "Due jobs run when Redis is available again.")
        self._is_behind = False
        self._last_published = 0.0
        self._pushed_through = self._saved_through = 0
        self._anchored = 0
        self._connection: Any = None
        self._publisher: Publisher | None = None

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. It waits for a database that is away; any other unexpected error ends the process."""
        while not stop.is_set():
            try:
                if self._publisher is None and not self._become_active():
                    stop.wait(0.5)
                    continue
                if (published := self.step()) > 0:
                    self._last_published = time.monotonic()
                if published < BATCH:
                    is_idle = time.monotonic() - self._last_published > IDLE_AFTER_S
                    stop.wait(IDLE_PAUSE_S if is_idle else PAUSE_S)
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                log.warning("relay.database_away", error=type(error).__name__)
                self.close()
                stop.wait(0.5)
        self.close()

    def step(self) -> int:
        """One round of everything that is due; how many events were published. From BATCH on there may be more."""
        if self._publisher is None and not self._become_active():
            return 0
        assert self._publisher is not None
        events = self._publisher.publish(clock.now())
        self._push(events)
        self._every(FOLD_EVERY_S, self._fold)
        self._every(HAND_OVER_EVERY_S, self._hand_over_due)
        self._every(SAVE_EVERY_S, self._save_progress)
        self._every(ANCHOR_EVERY_S, self._write_anchor)
        return len(events)

    def close(self) -> None:
        """Close the connection, which releases the lock."""
        connection, self._connection, self._publisher = self._connection, None, None
        if connection is not None:
            try:
                connection.close()
            except psycopg2.Error as error:
                log.info("relay.close_failed", error=type(error).__name__)

    def _become_active(self) -> bool:
        if self._connection is None:
            self._connection = psycopg2.connect(**self._connect_args)
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_ID,))
            is_ours = bool(cursor.fetchone()[0])
            if is_ours:
                cursor.execute("SELECT pushed_through FROM relay_state")
                self._pushed_through = self._saved_through = cursor.fetchone()[0]
        self._connection.commit()
        if is_ours:
            self._publisher = Publisher(self._connection, self._key, reactions=self._reactions)
            self._is_behind = True
            log.info("relay.active")
        return is_ours

    def _every(self, seconds: float, work: Callable[[], None]) -> None:
        instant = time.monotonic()
        if instant >= self._timers.get(work.__name__, 0.0):
            work()
            self._timers[work.__name__] = instant + seconds

    def _push(self, events: Sequence[PublishedEvent]) -> None:
        """Push what was just published; while behind (start, Redis away) read the log instead, in order."""
        if self._is_behind:
            self._every(PUSH_RETRY_S, self._catch_up)
        elif events:
            self._is_behind = not self._try_push(events)

    def _catch_up(self) -> None:
        while self._is_behind:
            events = self._after(self._pushed_through)
            if not self._try_push(events):
                return
            self._is_behind = len(events) == CATCH_UP_BATCH

    def _try_push(self, events: Sequence[PublishedEvent]) -> bool:
        messages = [
            message
            for e in events
            if (
                message := push_of(e.type, e.object_id, e.data, at=e.at, event_id=e.public_id, sequence=e.seq)
            )
        ]
        try:
            if messages:
                self._pusher.push(messages)
        except Exception as error:  # noqa: BLE001 whatever failed, the log still has the events
            self._push_outage.begin(error)
            return False
        self._push_outage.end()
        if events:
            self._pushed_through = events[-1].seq
        return True

    def _after(self, seq: int) -> list[PublishedEvent]:
        with autocommit(self._connection) as cursor:
            cursor.execute(
                "SELECT seq, type, object_id, data, at, hmac FROM events WHERE seq > %s ORDER BY seq LIMIT %s",
                (seq, CATCH_UP_BATCH),
            )
            rows = cursor.fetchall()
        return [
            PublishedEvent(seq, event_type, object_id, data, at, bytes(digest))
            for seq, event_type, object_id, data, at, digest in rows
        ]

    def _fold(self) -> None:
        while self._run("SELECT fold(%s)", FOLD_BATCH)[0] == FOLD_BATCH:
            pass

    def _hand_over_due(self) -> None:
        instant = time.monotonic()
        self._handed = {job: at for job, at in self._handed.items() if instant - at < HAND_OVER_AGAIN_S}
        with autocommit(self._connection) as cursor:
            cursor.execute(
                "SELECT id::text, run_at FROM jobs WHERE state = 'due' AND run_at <= %(now)s "
                "AND (leased_until IS NULL OR leased_until < %(now)s) ORDER BY run_at LIMIT 200",
                {"now": clock.now()},
            )
            # With its time: the same job a second later is to be handed over again.
            due = [(uuid.UUID(row[0]), row[1]) for row in cursor.fetchall()]
        for job in due:
            if job in self._handed:
                continue
            try:
                self._hand_over(job[0])
            except Exception as error:  # noqa: BLE001 the broker is away: the row stays due
                self._broker_outage.begin(error)
                return
            self._broker_outage.end()
            self._handed[job] = instant

    def _save_progress(self) -> None:
        if self._pushed_through != self._saved_through:
            self._run("UPDATE relay_state SET pushed_through = %s RETURNING 1", self._pushed_through)
            self._saved_through = self._pushed_through

    def _write_anchor(self) -> None:
        head = self._run("SELECT seq, hmac FROM events ORDER BY seq DESC LIMIT 1")
        if head and head[0] != self._anchored:
            chain.write_anchor(self._anchors, chain.Anchor(head[0], bytes(head[1])), clock.now())
            self._anchored = head[0]

    def _run(self, statement: str, *arguments: object) -> Any:
        with autocommit(self._connection) as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchone()
