"""Work for later. What is due is kept in the database: a restart does late what it missed."""

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
"""Jobs at the same time. A callback that is not answered holds one of them until its time-out."""

LONGEST_WAIT_S: Final = 30.0

Work = Callable[[str], object]


class Timers:
    """Named work on an id, once, at a moment of the sandbox's time; at least once when the process is killed."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._work: dict[str, Work] = {}
        self._running: set[tuple[str, str]] = set()  # touched in transactions only
        # An event and not a condition: `wake` is called by threads that hold the database's lock.
        self._changed = threading.Event()
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="sandbox")

    def register(self, name: str, work: Work) -> None:
        """`work` is what the timers of this name do. It may run twice for an id: it checks the state it changes."""
        self._work[name] = work

    def set(self, name: str, id: str, after_s: float) -> None:
        """Run `name` on `id` after so many seconds; instead of what was set for them before."""
        due = self._now().timestamp() + max(0.0, after_s)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO timers (name, id, due) VALUES (?, ?, ?)"
                " ON CONFLICT (name, id) DO UPDATE SET due = excluded.due",
                (name, id, due),
            )
        self.wake()

    def cancel(self, name: str, id: str) -> None:
        """Forget it, when it has not begun."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM timers WHERE name = ? AND id = ?", (name, id))

    def waiting(self, within_s: float) -> int:
        """How much is being done, or will begin within so many seconds."""
        until = self._now().timestamp() + within_s
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT name, id FROM timers WHERE due <= ?", (until,)).fetchall()
            # What runs may have lost its row: the sandbox was reset meanwhile.
            return len({(row["name"], row["id"]) for row in rows} | self._running)

    def wake(self) -> None:
        """Look again what is due: something was set, or the time was moved."""
        self._changed.set()

    def start(self) -> None:
        """Begin, once all work is registered."""
        self._thread = threading.Thread(target=self._run, name="sandbox-timers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what runs, begin nothing new."""
        self._is_stopping.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            wait_s = self._begin_due()
            self._changed.wait(wait_s)
            self._changed.clear()

    def _begin_due(self) -> float:
        """Begin all that is due; the seconds until the next."""
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
                # Set anew meanwhile: that one is still to come.
                connection.execute(
                    "DELETE FROM timers WHERE name = ? AND id = ? AND due = ?", (name, id, due)
                )
                self._running.discard((name, id))
            self._changed.set()
