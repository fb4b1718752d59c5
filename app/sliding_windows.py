"""How many requests an API key may make in a minute, exactly: a sliding window in Redis that every process shares.

While Redis is away each process counts in its own memory. A limit is a convenience, never a guarantee that money depends on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from limits import RateLimitItem, RateLimitItemPerMinute, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.errors import RateLimitExceeded
from app.principal import Principal
from app.redis_client import Outage
from app.redis_limits import ThreadStorage

_KIND: Final = "key"


@dataclass(frozen=True, slots=True)
class Window:
    """limit: requests in a window. remaining: those that are left now. resets_at: when one more is, in seconds since 1970."""

    limit: int
    remaining: int
    resets_at: int


class SlidingWindows:
    """Each API key's own window, and each application's. Safe to share between threads."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Raises ValueError when RATE_LIMIT_PROCESSING cannot be read (`100/minute` is how one looks)."""
        self._default = parse(config["RATE_LIMIT_PROCESSING"])
        self._storage = ThreadStorage(config["REDIS_URL"])
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._outage = Outage("sliding_windows", "Each process counts requests in its own memory.")

    def hit(self, principal: Principal) -> tuple[Window, bool]:
        """Count a request; False: it is one too many, and was not counted."""
        item, bucket = self._item(principal), _bucket(principal)

        def count() -> tuple[Window, bool]:
            is_counted, oldest, used = self._storage.get().hit_moving_window(
                item.key_for(_KIND, bucket), item.amount, item.get_expiry()
            )
            resets_at = math.ceil(oldest + item.get_expiry())
            return Window(item.amount, max(0, item.amount - used), resets_at), is_counted

        def count_here() -> tuple[Window, bool]:
            is_counted = self._own.hit(item, _KIND, bucket)
            return _window(self._own, item, bucket), is_counted

        return self._outage.attempt(count, fallback=count_here)

    def peek(self, principal: Principal) -> Window:
        """The window as it is, for a request that is not counted."""
        item, bucket = self._item(principal), _bucket(principal)
        return self._outage.attempt(
            lambda: _window(self._shared(), item, bucket), fallback=lambda: _window(self._own, item, bucket)
        )

    def clear(self, principals: Iterable[Principal]) -> None:
        """Begin the windows of these anew."""
        for principal in principals:
            self._clear(self._item(principal), _bucket(principal))

    def _clear(self, item: RateLimitItem, bucket: str) -> None:
        self._own.clear(item, _KIND, bucket)
        self._outage.attempt(lambda: self._shared().clear(item, _KIND, bucket), fallback=lambda: None)

    def _item(self, principal: Principal) -> RateLimitItem:
        limit = principal.requests_per_minute
        return self._default if limit is None else RateLimitItemPerMinute(limit)

    def _shared(self) -> MovingWindowRateLimiter:
        return MovingWindowRateLimiter(self._storage.get())


def exceeded(window: Window) -> RateLimitExceeded:
    """The refusal of a request that is one too many."""
    return RateLimitExceeded(
        f"Rate limit exceeded: at most {window.limit} requests in a window.",
        retry_after_s=max(1, window.resets_at - math.floor(time.time())),
    )


def _bucket(principal: Principal) -> str:
    """An API key's own, or an application's for a tenant, whichever token it holds."""
    if principal.name is not None:
        return f"{principal.tenant_id.hex}:{principal.name}"
    return str(principal.credential)


def _window(limiter: MovingWindowRateLimiter, item: RateLimitItem, bucket: str) -> Window:
    stats = limiter.get_window_stats(item, _KIND, bucket)
    return Window(item.amount, max(0, stats.remaining), math.ceil(stats.reset_time))
