"""The relay: the one process that publishes events, folds balances and hands due work to Celery.

One is active, the one whose connection holds the advisory lock; others stand by. Everything it does is safe
to repeat: what was committed is in the tables, what was not is still in the outbox. A process of its own pushes what was
published (push_process.py).
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

from app import clock, database_clock
from app.events import chain
from app.events.connection import autocommit, connect, try_lock
from app.events.publisher import BATCH, Publisher
from app.events.reactions import Reaction
from app.redis_client import Outage
from app.unit_of_work import is_unavailable

LOCK_ID: Final = 7_220_453_118
"""The advisory lock of the active relay; /health/ready looks for it."""

PAUSES_S: Final = ((1.0, 0.01), (5.0, 0.025))
"""Until nothing was published for so many seconds: the pause between two rounds. A transaction costs nearly as much for one
event as for a dozen."""

IDLE_PAUSE_S: Final = 0.1
"""The pause after that: a round costs a quarter of a millisecond, whatever it finds."""

FOLD_EVERY_S: Final = 0.1
IDLE_FOLD_EVERY_S: Final = 1.0
FOLD_BATCH: Final = 2000
HAND_OVER_EVERY_S: Final = 0.2
HAND_OVER_AGAIN_S: Final = 15.0
"""A job handed to Celery and not leased within this time is handed over again."""
BROKER_RETRY_S: Final = 5.0
"""The pause after a broker that did not answer: one that hangs takes a second, in which nothing is published."""
ANCHOR_EVERY_S: Final = 60.0
CHECK_EVERY_S: Final = 1.0

log = structlog.get_logger("relay")


class Pushes(Protocol):
    """The process that pushes what was published."""

    def wake(self) -> None:
        """This relay is active, and has published something."""

    def stand_by(self) -> None:
        """This relay is not active any more."""

    def check(self) -> None:
        """Raises when there is no such process any more: the relay then ends, and is started again with a new one."""


class Relay:
    """Runs on one connection of its own. `hand_over` gives the ids of jobs to Celery."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        pushes: Pushes,
        hand_over: Callable[[Sequence[uuid.UUID]], None],
        reactions: Sequence[Reaction],
    ) -> None:
        self._config = config
        self._key = config["AUDIT_KEY"].encode()
        self._anchors = Path(config["VAR_DIR"]) / "audit"
        self._pushes = pushes
        self._hand_over = hand_over
        self._reactions = reactions
        self._handed: dict[tuple[uuid.UUID, datetime], float] = {}
        self._timers: dict[str, float] = {}
        self._broker_outage = Outage("job_queue", "Due jobs run when Redis is available again.")
        self._last_published = self._hand_over_from = 0.0
        self._anchored = 0
        self._connection: Any = None
        self._publisher: Publisher | None = None

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. It waits for a database that is away or takes no writes; any other unexpected error ends the process."""
        while not stop.is_set():
            try:
                if self._publisher is None and not self._become_active():
                    stop.wait(0.5)
                    continue
                if self.step() < BATCH:
                    stop.wait(self._pause_s())
            except psycopg2.Error as error:
                if not (isinstance(error, psycopg2.OperationalError) or is_unavailable(error)):
                    raise
                log.warning("relay.database_away", error=type(error).__name__)
                self.close()
                stop.wait(0.5)
        self.close()

    def step(self) -> int:
        """One round of everything that is due; how many events were published. From BATCH on there may be more."""
        if self._publisher is None and not self._become_active():
            return 0
        assert self._publisher is not None
        database_clock.follow(self._database_time)
        if published := self._publisher.publish(clock.now()):
            self._last_published = time.monotonic()
            self._pushes.wake()
        self._every(FOLD_EVERY_S if self._idle_s() < PAUSES_S[0][0] else IDLE_FOLD_EVERY_S, self._fold)
        self._every(HAND_OVER_EVERY_S, self._hand_over_due)
        self._every(ANCHOR_EVERY_S, self._write_anchor)
        self._every(CHECK_EVERY_S, self._pushes.check)
        return published

    def close(self) -> None:
        """Close the connection, which releases the lock."""
        self._pushes.stand_by()
        connection, self._connection, self._publisher = self._connection, None, None
        if connection is not None:
            try:
                connection.close()
            except psycopg2.Error as error:
                log.info("relay.close_failed", error=type(error).__name__)

    def _become_active(self) -> bool:
        if self._connection is None:
            self._connection = connect(self._config, name="malipo-relay")
        if not try_lock(self._connection, LOCK_ID):
            return False
        self._publisher = Publisher(self._connection, self._key, reactions=self._reactions)
        self._pushes.wake()  # for what the one before has published and not pushed
        log.info("relay.active")
        return True

    def _database_time(self) -> datetime:
        with autocommit(self._connection) as cursor:
            cursor.execute(database_clock.QUESTION)
            moment: datetime = cursor.fetchone()[0]
            return moment

    def _idle_s(self) -> float:
        return time.monotonic() - self._last_published

    def _pause_s(self) -> float:
        idle_s = self._idle_s()
        return next((pause_s for until_s, pause_s in PAUSES_S if idle_s < until_s), IDLE_PAUSE_S)

    def _every(self, seconds: float, work: Callable[[], None]) -> None:
        instant = time.monotonic()
        if instant >= self._timers.get(work.__name__, 0.0):
            work()
            self._timers[work.__name__] = instant + seconds

    def _fold(self) -> None:
        while self._run("SELECT fold(%s)", FOLD_BATCH)[0] == FOLD_BATCH:
            pass

    def _hand_over_due(self) -> None:
        instant = time.monotonic()
        if instant < self._hand_over_from:
            return
        self._handed = {job: at for job, at in self._handed.items() if instant - at < HAND_OVER_AGAIN_S}
        with autocommit(self._connection) as cursor:
            cursor.execute(
                "SELECT id::text, run_at FROM jobs WHERE state = 'due' AND run_at <= %(now)s "
                "AND (leased_until IS NULL OR leased_until < %(now)s) ORDER BY run_at LIMIT 200",
                {"now": clock.now()},
            )
            # With its time: the same job a second later is to be handed over again.
            due = [(uuid.UUID(row[0]), row[1]) for row in cursor.fetchall()]
        new = [job for job in due if job not in self._handed]
        if not new:
            return
        try:
            self._hand_over([job_id for job_id, _ in new])
        except Exception as error:  # noqa: BLE001 the broker is away: the rows stay due
            self._broker_outage.begin(error)
            self._hand_over_from = time.monotonic() + BROKER_RETRY_S
            return
        self._broker_outage.end()
        self._handed |= dict.fromkeys(new, instant)

    def _write_anchor(self) -> None:
        head = self._run("SELECT seq, hmac FROM events ORDER BY seq DESC LIMIT 1")
        if head and head[0] != self._anchored:
            try:
                chain.write_anchor(self._anchors, chain.Anchor(head[0], bytes(head[1])), clock.now())
            except OSError as error:  # the disk is full: the next anchor says all that this one would
                log.error("relay.anchor_failed", error=type(error).__name__, errno=error.errno)
                return
            self._anchored = head[0]

    def _run(self, statement: str, *arguments: object) -> Any:
        with autocommit(self._connection) as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchone()
