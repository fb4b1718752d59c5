"""Rate limits: fixed windows, counted in Redis, and in memory while Redis is away.

One round trip per request. A limit is a convenience, never a guarantee that money depends on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from app.errors import RateLimitExceeded
from app.redis_client import Outage, connection_options

REDIS_TIMEOUT_S: Final = 0.25
"""A rate limit that takes longer to count is counted in memory."""


class Limit(StrEnum):
    """Kinds of requests with a limit of their own; the setting is RATE_LIMIT_<NAME>."""

    AUTH = "auth"
    PAYMENTS = "payments"
    BATCH_ITEMS = "batch_items"
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
        self._outage = Outage("rate_limits", "Each process counts requests in its own memory.")

    def hit(self, limit: Limit, key: str, *, cost: int = 1) -> None:
        """Count one request, as `cost`. Raises RateLimitExceeded."""
        item = self._items[limit]
        reset_at = self._outage.attempt(
            lambda: _reset_at(self._shared(), item, limit, key, cost=cost),
            fallback=lambda: _reset_at(self._own, item, limit, key, cost=cost),
        )
        if reset_at is not None:
            raise RateLimitExceeded(retry_after_s=max(1, round(reset_at - time.time())))

    def _shared(self) -> FixedWindowRateLimiter:
        """This thread's, on a connection of its own: a connection pool would double the time."""
        limiter: FixedWindowRateLimiter | None = getattr(self._threads, "limiter", None)
        if limiter is None:
            options = connection_options(REDIS_TIMEOUT_S) | {"single_connection_client": True}
            storage = RedisStorage(self._redis_url, key_prefix="malipo:limit", **options)
            limiter = self._threads.limiter = FixedWindowRateLimiter(storage)
        return limiter


def _reset_at(
    limiter: FixedWindowRateLimiter, item: RateLimitItem, limit: Limit, key: str, *, cost: int
) -> float | None:
    """Count one request. None: it is within the limit; else when the window ends, in seconds since 1970."""
    if limiter.hit(item, limit, key, cost=cost):
        return None
    return limiter.get_window_stats(item, limit, key).reset_time
