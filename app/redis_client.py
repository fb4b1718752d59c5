"""Connections to Redis, and its outages as one part of a process sees them.

Nothing that money depends on is in Redis, so every part goes on without it. An outage is logged once when it begins and
once when it ends; meanwhile it is asked again after a pause, by one request alone, so that no request waits for it twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

T = TypeVar("T")

PAUSE_S: Final = 2.0
"""How long a part of this process does without Redis after a failure."""

log = structlog.get_logger("redis")


def connect(url: str, *, timeout_s: float, retries: int = 1, **options: Any) -> redis.Redis:
    """A client that connects when it is first used."""
    return redis.Redis.from_url(url, **connection_options(timeout_s, retries=retries), **options)


def connection_options(timeout_s: float, *, retries: int = 1) -> dict[str, Any]:
    """timeout_s: for connecting, and for each answer. retries: at once, on a new connection: the one at hand may be from
    before Redis was restarted. After a time-out there is none: Redis hangs, and would hang again."""
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
    }


class Outage:
    """Whether Redis is away for one part of this process. Safe to share between threads.

    part: its name in the log. consequence: what holds during an outage, a sentence for operators.
    """

    def __init__(self, part: str, consequence: str) -> None:
        self._part, self._consequence = part, consequence
        self._began_at: float | None = None
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def attempt(self, work: Callable[[], T], *, fallback: Callable[[], T]) -> T:
        """What `work` returns; during the pause, or when Redis does not answer, what `fallback` returns."""
        if self._is_paused():
            return fallback()
        try:
            result = work()
        except RedisError as error:
            self.begin(error)
            return fallback()
        self.end()
        return result

    def _is_paused(self) -> bool:
        """Whether to do without Redis. After a pause one caller asks it again, and for the others there is a new pause."""
        if self._began_at is None:
            return False
        with self._lock:
            instant = time.monotonic()
            if instant < self._paused_until:
                return True
            self._paused_until = instant + PAUSE_S
        return False

    def begin(self, error: Exception) -> None:
        """Redis did not answer."""
        with self._lock:
            instant = time.monotonic()
            self._paused_until = instant + PAUSE_S
            if self._began_at is not None:
                return
            self._began_at = instant
        log.warning("redis.away", part=self._part, consequence=self._consequence, error=type(error).__name__)

    def end(self) -> None:
        """Redis answered."""
        if self._began_at is None:
            return
        with self._lock:
            began_at, self._began_at = self._began_at, None
        if began_at is not None:
            log.warning("redis.available", part=self._part, after_s=round(time.monotonic() - began_at, 1))
