"""Requests that wait for new events: one thread looks at the log's end for all of them.

Guarantees: a request that waits holds no connection to the database; no more than MAX_WAITING of a process's threads wait at a time, and
whoever comes then is answered at once; when the process stops, nothing waits any more.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog
from flask import Flask
from sqlalchemy import func, select

from app.models.event import Event
from app.unit_of_work import reading

MAX_WAIT_S: Final = 20
MAX_WAITING: Final = 25
"""Of a process, or a quarter of its threads where those are fewer."""

EVERY_S: Final = 0.25

log = structlog.get_logger("webhooks")


class EventWaits:
    """One process's. Safe to share between threads."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._slots = threading.BoundedSemaphore(max(1, min(MAX_WAITING, app.config["WEB_THREADS"] // 4)))
        self._changed = threading.Condition()
        self._end = 0
        self._waiting = 0
        self._has_watcher = self._is_stopped = False

    def wait(self, after: int, *, seconds: float) -> bool:
        """Whether the log has grown beyond `after` within the time. False at once where too many wait already."""
        if not self._slots.acquire(blocking=False):
            return False
        try:
            return self._wait(after, time.monotonic() + seconds)
        finally:
            self._slots.release()

    def stop(self) -> None:
        """End every wait, now and later. May be called by a signal's handler: it takes no lock."""
        self._is_stopped = True

    def _wait(self, after: int, until: float) -> bool:
        with self._changed:
            self._waiting += 1
            self._start()
            try:
                while self._end <= after and not self._is_stopped:
                    left = until - time.monotonic()
                    if left <= 0:
                        return False
                    self._changed.wait(min(left, EVERY_S))
                return self._end > after
            finally:
                self._waiting -= 1

    def _start(self) -> None:
        """The watcher runs as long as a request waits."""
        if not self._has_watcher:
            self._has_watcher = True
            threading.Thread(target=self._watch, name="event-waits", daemon=True).start()

    def _watch(self) -> None:
        while True:
            end = self._look()
            with self._changed:
                if end > self._end:
                    self._end = end
                    self._changed.notify_all()
                if not self._waiting:
                    self._has_watcher = False
                    return
            time.sleep(EVERY_S)

    def _look(self) -> int:
        try:
            with self._app.app_context(), reading() as session:
                return session.scalar(select(func.max(Event.seq))) or 0
        except Exception as error:  # noqa: BLE001 a fault here must not end the watcher: the others wait for it
            log.info("event_waits.not_looked", error=type(error).__name__)
            return 0


def init(app: Flask) -> None:
    app.extensions["event_waits"] = EventWaits(app)
