"""What /sandbox/control has set. Kept in the database, so that a restart changes nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from app import clock
from app.sandbox.database import Database


class Control:
    """Named values over the defaults of the settings. Watchers hear of every change."""

    def __init__(self, database: Database, *, autopay_s: float | None) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._defaults: dict[str, Any] = {
            "autopay_s": autopay_s, "rules": [], "webhooks": {}, "credentials": {}, "options": {}, "advance_s": 0.0,
        }  # fmt: skip
        with database.transaction() as connection:
            rows = connection.execute("SELECT name, value FROM control").fetchall()
        self._values = self._defaults | {row["name"]: json.loads(row["value"]) for row in rows}
        self._watchers: list[Callable[[], None]] = []

    def get(self, name: str) -> Any:
        """The value in force. Not to be changed in place."""
        with self._lock:
            return self._values[name]

    def set(self, name: str, value: Any) -> None:
        """Put `value` in force, now and after a restart."""
        if name not in self._defaults:
            raise KeyError(f"{name} is nothing that can be controlled.")
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO control (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, json.dumps(value)),
            )
        with self._lock:
            self._values[name] = value
        self._tell()

    def restore(self) -> None:
        """Everything as the settings say; the database has been cleared."""
        with self._lock:
            self._values = dict(self._defaults)
        self._tell()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change."""
        self._watchers.append(changed)

    def _tell(self) -> None:
        for changed in self._watchers:
            changed()

    @property
    def autopay_s(self) -> float | None:
        """Seconds until the simulated customer pays; None: never by itself."""
        value: float | None = self.get("autopay_s")
        return value

    def now(self) -> datetime:
        """The sandbox's time: the clock's, moved by `advance_s`."""
        return clock.now() + timedelta(seconds=self.get("advance_s"))
