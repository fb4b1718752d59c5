"""Rate limits: fixed windows, counted in Redis, and in memory while Redis is away.

One round trip per request. Merchants' backends send many: while a merchant has used less than half of its limit, a process writes
each hundredth part of the limit at once, or what came within WRITE_EVERY_S. Beyond that, and for limits below a hundred, each
request is written. A limit is a convenience, never a guarantee that money depends on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from app.errors import RateLimitExceeded
from app.redis_client import Outage
from app.redis_limits import ThreadStorage


class Limit(StrEnum):
    """Kinds of requests with a limit of their own; the setting is RATE_LIMIT_<NAME>."""

    AUTH = "auth"
    PAYMENTS = "payments"
    BATCH_ITEMS = "batch_items"
    DEFAULT = "default"
    MERCHANT = "merchant"
    BOOKINGS = "bookings"
    PROCESSING = "processing"
    """Counted in sliding windows (app/sliding_windows.py), by API key."""


WRITE_EVERY_S: Final = 0.1
MAX_TALLIES: Final = 10_000
"""Merchants whose requests are counted between two round trips; beyond it they are counted one by one for a moment."""


@dataclass(slots=True)
class _Tally:
    """What a merchant has used of its limit: `known` when it was last written, and what is not written yet."""

    known: int = 0
    unwritten: int = 0
    written_at: float = -WRITE_EVERY_S


class RateLimiter:
    """Counts requests by kind and key. Safe to share between threads."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Raises ValueError when a limit cannot be read (`30/minute` is how one looks)."""
        self._items: dict[Limit, RateLimitItem] = {
            limit: parse(config[f"RATE_LIMIT_{limit.name}"]) for limit in Limit
        }
        self._storage = ThreadStorage(config["REDIS_URL"])
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._lock = threading.Lock()
        self._tallies: dict[str, _Tally] = {}
        self._outage = Outage("rate_limits", "Each process counts requests in its own memory.")

    def hit(self, limit: Limit, key: str, *, cost: int = 1) -> None:
        """Count one request, as `cost`. Raises RateLimitExceeded."""
        item = self._items[limit]
        if limit is Limit.MERCHANT:
            cost = self._to_write(item, key)
            if not cost:
                return
        reset_at = self._outage.attempt(
            lambda: self._count_shared(item, limit, key, cost=cost),
            fallback=lambda: _reset_at(self._own, item, limit, key, cost=cost),
        )
        if reset_at is not None:
            raise RateLimitExceeded(retry_after_s=max(1, round(reset_at - time.time())))

    def _to_write(self, item: RateLimitItem, key: str) -> int:
        """How many requests of the merchant are to be written now; 0: none yet."""
        with self._lock:
            if len(self._tallies) >= MAX_TALLIES:
                self._tallies.clear()
            tally = self._tallies.setdefault(key, _Tally())
            tally.unwritten += 1
            is_new = time.monotonic() - tally.written_at < WRITE_EVERY_S
            is_little = tally.unwritten <= item.amount // 100 and tally.known <= item.amount // 2
            if is_new and is_little:
                return 0
            count, tally.unwritten = tally.unwritten, 0
            return count

    def _count_shared(self, item: RateLimitItem, limit: Limit, key: str, *, cost: int) -> float | None:
        limiter = FixedWindowRateLimiter(self._storage.get())
        if limit is not Limit.MERCHANT:
            return _reset_at(limiter, item, limit, key, cost=cost)
        used = limiter.storage.incr(item.key_for(limit, key), item.get_expiry(), amount=cost)
        with self._lock:
            tally = self._tallies.setdefault(key, _Tally())
            tally.known, tally.written_at = used, time.monotonic()
        return None if used <= item.amount else limiter.get_window_stats(item, limit, key).reset_time


def _reset_at(
    limiter: FixedWindowRateLimiter, item: RateLimitItem, limit: Limit, key: str, *, cost: int
) -> float | None:
    """Count one request. None: it is within the limit; else when the window ends, in seconds since 1970."""
    if limiter.hit(item, limit, key, cost=cost):
        return None
    return limiter.get_window_stats(item, limit, key).reset_time
