"""The values set through /sandbox/control. They are stored in the database and survive a restart."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from app import clock
from app.sandbox.database import Database


class Control:
    """Named values that override the defaults of the settings. Watchers are called after every change."""

    def __init__(self, database: Database, *, autopay_s: float | None) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._defaults: dict[str, Any] = {
            "autopay_s": autopay_s,
            "rules": [],
            "webhooks": {},
            "credentials": {},
            "options": {},
            "advance_s": 0.0,
        }
        with database.transaction() as connection:
            rows = connection.execute("SELECT name, value FROM control").fetchall()
        self._values = self._defaults | {row["name"]: json.loads(row["value"]) for row in rows}
        self._watchers: list[Callable[[], None]] = []

    def get(self, name: str) -> Any:
        """The current value. Callers must not change it in place."""
        with self._lock:
            return self._values[name]

    def set(self, name: str, value: Any) -> None:
        """Set `value`, now and after a restart."""
        if name not in self._defaults:
            raise KeyError(f"{name} is not a controlled value.")
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO control (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, json.dumps(value)),
            )
        with self._lock:
            self._values[name] = value
        self._notify()

    def restore(self) -> None:
        """Return to the defaults, after the database has been cleared."""
        with self._lock:
            self._values = dict(self._defaults)
        self._notify()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change."""
        self._watchers.append(changed)

    def _notify(self) -> None:
        for changed in self._watchers:
            changed()

    @property
    def autopay_s(self) -> float | None:
        """Seconds until the simulated customer pays; None when that is off."""
        value: float | None = self.get("autopay_s")
        return value

    def now(self) -> datetime:
        """The sandbox's time: the clock's, advanced by `advance_s`."""
        return clock.now() + timedelta(seconds=self.get("advance_s"))
