"""Work at a later time. It is stored in the database: after a restart, overdue work is done late."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from app.sandbox.database import Database

log = logging.getLogger(__name__)

WORKERS: Final = 16
"""Threads for work. A callback without an answer occupies one until its time-out."""

LONGEST_WAIT_S: Final = 30.0

Work = Callable[[str], object]


class Timers:
    """Named work on an id at a point of the sandbox's time: once, or again when the process is killed during it."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._work: dict[str, Work] = {}
        self._running: set[tuple[str, str]] = set()  # used in database transactions only
        # An event, not a condition: threads that hold the database's lock call `wake`.
        self._changed = threading.Event()
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="sandbox")

    def register(self, name: str, work: Work) -> None:
        """`work(id)` is what timers of this name do. It may run twice for an id, so it checks the state it changes."""
        self._work[name] = work

    def set(self, name: str, id: str, after_s: float) -> None:
        """Run `name` on `id` after this many seconds; this replaces an earlier timer of the same name and id."""
        due = self._now().timestamp() + max(0.0, after_s)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO timers (name, id, due) VALUES (?, ?, ?)"
                " ON CONFLICT (name, id) DO UPDATE SET due = excluded.due",
                (name, id, due),
            )
        self.wake()

    def cancel(self, name: str, id: str) -> None:
        """Delete the timer, unless its work has started."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM timers WHERE name = ? AND id = ?", (name, id))

    def waiting(self, within_s: float) -> int:
        """The number of timers that are running or will start within this many seconds."""
        until = self._now().timestamp() + within_s
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT name, id FROM timers WHERE due <= ?", (until,)).fetchall()
            # Running work may have no row any more: the sandbox was reset meanwhile.
            return len({(row["name"], row["id"]) for row in rows} | self._running)

    def wake(self) -> None:
        """Check again which timers are due: one was set, or the time was advanced."""
        self._changed.set()

    def start(self) -> None:
        """Start, after all work is registered."""
        self._thread = threading.Thread(target=self._run, name="sandbox-timers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish running work and start no more."""
        self._is_stopping.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            wait_s = self._start_due()
            self._changed.wait(wait_s)
            self._changed.clear()

    def _start_due(self) -> float:
        """Start all work that is due; the seconds until the next timer."""
        now = self._now().timestamp()
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT name, id, due FROM timers ORDER BY due LIMIT 200",
            ).fetchall()
            rows = [row for row in rows if (row["name"], row["id"]) not in self._running]
            due = [row for row in rows if row["due"] <= now and row["name"] in self._work]
            self._running |= {(row["name"], row["id"]) for row in due}
        for row in due:
            self._pool.submit(self._do, row["name"], row["id"], row["due"])
        return min([LONGEST_WAIT_S, *(float(row["due"]) - now for row in rows if row["due"] > now)])

    def _do(self, name: str, id: str, due: float) -> None:
        try:
            self._work[name](id)
        except Exception:
            log.exception("The timer %s failed.", name)
        finally:
            with self._database.transaction() as connection:
                # A timer that was set again meanwhile has another due time and stays.
                connection.execute(
                    "DELETE FROM timers WHERE name = ? AND id = ? AND due = ?", (name, id, due)
                )
                self._running.discard((name, id))
            self._changed.set()
