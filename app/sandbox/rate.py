"""A limit on how often a call may be made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta


class MinimumInterval:
    """At most one call in each interval of the sandbox's time."""

    def __init__(self, now: Callable[[], datetime], interval: timedelta) -> None:
        self._now = now
        self._interval = interval
        self._lock = threading.Lock()
        self._next_at = now()

    def is_allowed(self) -> bool:
        """Whether a call may be made now; if so, the next one must wait for the interval."""
        with self._lock:
            now = self._now()
            if now < self._next_at:
                return False
            self._next_at = now + self._interval
            return True
