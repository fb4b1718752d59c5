"""How providers have answered lately, shared by all processes through Redis. A hint for routing, nothing more.

Answers are counted by the minute; a provider is unhealthy while most of its last answers failed, and healthy again
when they have grown old. Without Redis every provider counts as healthy.
"""

from __future__ import annotations

import time
from typing import Final

import redis
import structlog
from flask import current_app
from redis.backoff import NoBackoff
from redis.retry import Retry

from app import clock

WINDOW_S: Final = 60
WINDOWS: Final = 2
"""The present window and those before it that count."""

MIN_FAILURES: Final = 5
"""Fewer failures say nothing about a provider."""

REDIS_TIMEOUT_S: Final = 0.25
REDIS_PAUSE_S: Final = 2.0
"""After Redis failed, how long this process does without before asking it again."""

log = structlog.get_logger(__name__)


class ProviderHealth:
    """Counts in Redis. Safe to share between threads."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        self._away_until = 0.0

    def record(self, provider: str, ok: bool) -> None:
        if self._is_away():
            return
        key = self._keys(provider)[0]
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.hincrby(key, "ok" if ok else "failed", 1)
                pipeline.expire(key, WINDOW_S * (WINDOWS + 1))
                pipeline.execute()
        except redis.exceptions.RedisError as error:
            self._leave(error)

    def is_healthy(self, provider: str) -> bool:
        if self._is_away():
            return True
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for key in self._keys(provider):
                    pipeline.hmget(key, "ok", "failed")
                counts = pipeline.execute()
        except redis.exceptions.RedisError as error:
            self._leave(error)
            return True
        succeeded = sum(int(ok or 0) for ok, _ in counts)
        failed = sum(int(bad or 0) for _, bad in counts)
        return failed < MIN_FAILURES or failed <= succeeded

    def _keys(self, provider: str) -> list[str]:
        window = int(clock.now().timestamp()) // WINDOW_S
        return [f"malipo:health:{provider}:{window - back}" for back in range(WINDOWS)]

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _leave(self, error: Exception) -> None:
        if not self._away_until:
            log.warning("Redis is away: every provider counts as healthy.", error=type(error).__name__)
        self._away_until = time.monotonic() + REDIS_PAUSE_S


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
