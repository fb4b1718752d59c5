"""Redis for the `limits` library: each thread has a connection of its own, since a pool would double the time of a request."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from limits.storage import RedisStorage

from app.redis_client import connection_options

REDIS_TIMEOUT_S: Final = 0.25
"""A rate limit that takes longer to count is counted in memory."""


_HIT: Final = """
local now, limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local oldest = redis.call('LINDEX', KEYS[1], -1)
while oldest and tonumber(oldest) < now - window do
  redis.call('RPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], -1)
end
local count = redis.call('LLEN', KEYS[1])
if count >= limit then
  return {0, count, oldest or ARGV[1]}
end
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], window)
return {1, count + 1, oldest or ARGV[1]}
"""


class Storage(RedisStorage):
    """The library's, with one command that counts in a moving window and reads it: the library needs two. The list of moments is
    the library's own, newest first."""

    def __init__(self, uri: str, **options: Any) -> None:
        super().__init__(uri, **options)
        self._hit = self.storage.register_script(_HIT)

    def hit_moving_window(self, key: str, limit: int, window_s: int) -> tuple[bool, float, int]:
        """Count one, unless the window is full: whether it was counted, the oldest moment in the window, how many are in it."""
        is_counted, count, oldest = self._hit([self.prefixed_key(key)], [time.time(), limit, window_s])
        return bool(is_counted), float(oldest), int(count)


class ThreadStorage:
    """The storage of the thread that asks."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._threads = threading.local()

    def get(self) -> Storage:
        storage: Storage | None = getattr(self._threads, "storage", None)
        if storage is None:
            options = connection_options(REDIS_TIMEOUT_S) | {"single_connection_client": True}
            storage = Storage(self._redis_url, key_prefix="malipo:limit", **options)
            self._threads.storage = storage
        return storage
