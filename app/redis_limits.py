"""Redis for the `limits` library: each thread has a connection of its own, since a pool would double the time of a request."""

from __future__ import annotations

import threading
from typing import Final

from limits.storage import RedisStorage

from app.redis_client import connection_options

REDIS_TIMEOUT_S: Final = 0.25
"""A rate limit that takes longer to count is counted in memory."""


class ThreadStorage:
    """The storage of the thread that asks."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._threads = threading.local()

    def get(self) -> RedisStorage:
        storage: RedisStorage | None = getattr(self._threads, "storage", None)
        if storage is None:
            options = connection_options(REDIS_TIMEOUT_S) | {"single_connection_client": True}
            storage = RedisStorage(self._redis_url, key_prefix="malipo:limit", **options)
            self._threads.storage = storage
        return storage
