"""Rate limits: fixed windows counted in Redis, in memory while Redis is away.

One round trip per request. A limit is a convenience, never a guarantee that money depends on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import structlog
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.errors import RateLimitExceeded

REDIS_TIMEOUT_S: Final = 0.25
"""A limit that takes longer to look up is not worth waiting for."""

REDIS_PAUSE_S: Final = 2.0
"""After Redis failed, how long this process counts in memory before asking it again."""

log = structlog.get_logger(__name__)


class Limit(StrEnum):
    """Kinds of requests with a limit of their own; the setting is RATE_LIMIT_<NAME>."""

    AUTH = "auth"
    PAYMENTS = "payments"
    DEFAULT = "default"
    MERCHANT = "merchant"


class RateLimiter:
    """Counts requests by kind and key. Safe to share between threads."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Raises ValueError when a limit cannot be read (`30/minute` is how one looks)."""
        self._items: dict[Limit, RateLimitItem] = {
            limit: parse(config[f"RATE_LIMIT_{limit.name}"]) for limit in Limit
        }
        self._redis_url: str = config["REDIS_URL"]
        self._threads = threading.local()
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._redis_away_until = 0.0

    def hit(self, limit: Limit, key: str) -> None:
        """Count one request. Raises RateLimitExceeded."""
        item = self._items[limit]
        try:
            limiter = self._own if time.monotonic() < self._redis_away_until else self._shared()
            if limiter.hit(item, limit, key):
                return
            reset_at = limiter.get_window_stats(item, limit, key).reset_time
        except RedisError as error:
            self._leave_redis(error)
            if self._own.hit(item, limit, key):
                return
            reset_at = self._own.get_window_stats(item, limit, key).reset_time
        raise RateLimitExceeded(retry_after_s=max(1, round(reset_at - time.time())))

    def _shared(self) -> FixedWindowRateLimiter:
        """This thread's, on a connection of its own: a connection pool costs as much again as the question."""
        limiter: FixedWindowRateLimiter | None = getattr(self._threads, "limiter", None)
        if limiter is None:
            client_options: dict[str, Any] = {
                "single_connection_client": True,
                "socket_timeout": REDIS_TIMEOUT_S,
                "socket_connect_timeout": REDIS_TIMEOUT_S,
                # Once more, on a new connection: this one may be from before Redis was restarted.
                "retry": Retry(NoBackoff(), 1),
            }
            storage = RedisStorage(self._redis_url, key_prefix="malipo:limit", **client_options)
            limiter = self._threads.limiter = FixedWindowRateLimiter(storage)
        return limiter

    def _leave_redis(self, error: RedisError) -> None:
        if not self._redis_away_until:
            log.warning("Redis is away: rate limits are counted in memory.", error=type(error).__name__)
        self._redis_away_until = time.monotonic() + REDIS_PAUSE_S
