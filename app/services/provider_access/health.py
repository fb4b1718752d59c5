"""How providers have answered recently, shared by all processes through Redis. Only routing uses it.

Answers are counted by the minute; a provider is unhealthy while most of its last answers failed, and healthy again
when those answers are older than two minutes. A process writes what it has counted at most once a second, with its next
answer or before it reads. Without Redis every provider counts as healthy.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from flask import current_app

from app import clock
from app.redis_client import Outage, connect

WINDOW_S: Final = 60
WINDOWS: Final = 2
"""The present window and those before it that count."""

MIN_FAILURES: Final = 5
"""Fewer failures say nothing about a provider."""

WRITE_EVERY_S: Final = 1.0
REDIS_TIMEOUT_S: Final = 0.25


class ProviderHealth:
    """Counts in Redis. Safe to share between threads."""

    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url, timeout_s=REDIS_TIMEOUT_S)
        self._outage = Outage("provider_health", "Every provider counts as healthy.")
        self._lock = threading.Lock()
        self._counted: Counter[tuple[str, bool]] = Counter()
        self._write_from = 0.0

    def record(self, provider: str, ok: bool) -> None:
        with self._lock:
            self._counted[provider, ok] += 1
        if time.monotonic() >= self._write_from:
            self._write()

    def is_healthy(self, provider: str) -> bool:
        self._write()
        succeeded, failed = self._outage.attempt(lambda: self._counts(provider), fallback=lambda: (0, 0))
        return failed < MIN_FAILURES or failed <= succeeded

    def _write(self) -> None:
        with self._lock:
            counted, self._counted = self._counted, Counter()
            self._write_from = time.monotonic() + WRITE_EVERY_S
        if counted:
            self._outage.attempt(lambda: self._add(counted), fallback=lambda: None)

    def _add(self, counted: Mapping[tuple[str, bool], int]) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for (provider, ok), count in counted.items():
                key = self._keys(provider)[0]
                pipeline.hincrby(key, "ok" if ok else "failed", count)
                pipeline.expire(key, WINDOW_S * (WINDOWS + 1))
            pipeline.execute()

    def _counts(self, provider: str) -> tuple[int, int]:
        """(succeeded, failed)"""
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in self._keys(provider):
                pipeline.hmget(key, "ok", "failed")
            counts = pipeline.execute()
        return sum(int(ok or 0) for ok, _ in counts), sum(int(failed or 0) for _, failed in counts)

    def _keys(self, provider: str) -> list[str]:
        window = int(clock.now().timestamp()) // WINDOW_S
        return [f"malipo:health:{provider}:{window - back}" for back in range(WINDOWS)]


def record(provider: str, ok: bool) -> None:
    """Note an answer. ok: it answered what it was asked, be it a refusal; not ok: time-out, no connection, a 5xx."""
    _health().record(provider, ok)


def is_healthy(provider: str) -> bool:
    """False while more of the last one to two minutes' answers failed than succeeded, and at least MIN_FAILURES."""
    return _health().is_healthy(provider)


def _health() -> ProviderHealth:
    health: ProviderHealth | None = current_app.extensions.get("provider_health")
    if health is None:
        health = current_app.extensions.setdefault(
            "provider_health", ProviderHealth(current_app.config["REDIS_URL"])
        )
    return health
