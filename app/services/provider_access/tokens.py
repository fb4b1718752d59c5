"""Providers' access tokens, shared by all workers through Redis, sealed there.

Without Redis each process keeps its own: a provider that kills old tokens then makes them fetch more often.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from app.crypto import CannotOpen, Sealer
from app.providers import deadline
from app.providers.base import FreshToken
from app.providers.errors import NotSent
from app.redis_client import Outage, connect

EARLY_S: Final = 60
"""A token is renewed this long before its end, or after three quarters of its life when that is shorter."""

REDIS_TIMEOUT_S: Final = 0.5
LOCK_S: Final = 15
WAIT_S: Final = 8.0
"""What a token may take, with all waiting."""

LOCK_WAIT_S: Final = 3.0
"""How long another process' lock is waited for, at most half of what time there is; then the token is fetched without it. A lock may have no owner any more: one whose
Redis hung could not release it, or took it by a request that Redis answered after it had gone."""

_PURPOSE: Final = "provider token"
_NAMESPACE: Final = uuid.UUID("0f3c2a52-7a5d-4f0c-8e0b-1f6f1b1d6a11")


class SharedTokens:
    """A TokenStore (providers/base.py)."""

    def __init__(self, redis_url: str, sealer: Sealer) -> None:
        self._redis: Any = connect(redis_url, timeout_s=REDIS_TIMEOUT_S)
        self._outage = Outage("provider_tokens", "Each process fetches access tokens of its own.")
        self._sealer = sealer
        self._own: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: str, fetch: Callable[[], FreshToken], *, rejected: str | None = None) -> str:
        """See TokenStore. One caller of all processes fetches; the others wait for what it brings."""
        known = self._read(key)
        if known is not None and known != rejected:
            return known
        # A limit of its own, so that there is time left for what the token is for.
        with deadline.within(WAIT_S), self._fetching(key):
            known = self._read(key)
            if known is not None and known != rejected:
                return known
            fresh = fetch()
            self._write(key, fresh)
            return fresh.token

    def _read(self, key: str) -> str | None:
        return self._outage.attempt(lambda: self._read_shared(key), fallback=lambda: self._read_own(key))

    def _read_shared(self, key: str) -> str | None:
        sealed = self._redis.get(_name(key))
        try:
            return self._sealer.open(sealed, purpose=_PURPOSE, row_id=_row(key)).decode() if sealed else None
        except CannotOpen:  # sealed under a key that is gone: fetch a new one
            return None

    def _read_own(self, key: str) -> str | None:
        token, until = self._own.get(key, ("", 0.0))
        return token if time.monotonic() < until else None

    def _write(self, key: str, fresh: FreshToken) -> None:
        life = max(1, fresh.life_s - min(EARLY_S, fresh.life_s // 4))
        self._own[key] = (fresh.token, time.monotonic() + life)
        sealed = self._sealer.seal(fresh.token.encode(), purpose=_PURPOSE, row_id=_row(key))
        self._outage.attempt(lambda: self._redis.set(_name(key), sealed, ex=life), fallback=lambda: None)

    @contextmanager
    def _fetching(self, key: str) -> Iterator[None]:
        """Inside one caller of this process for each token, and of all processes as far as their locks in Redis tell (LOCK_WAIT_S).

        Raises NotSent when this process' own takes longer than WAIT_S: nothing was asked of the provider.
        """
        until = time.monotonic() + deadline.remaining(WAIT_S)
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise NotSent("The provider's access token did not come in time.", code="no_token")
        try:
            mark = uuid.uuid4().hex
            is_ours = self._wait_for_lock(key, mark)
            try:
                yield
            finally:
                if is_ours:
                    self._unlock(key, mark)
        finally:
            lock.release()

    def _wait_for_lock(self, key: str, mark: str) -> bool:
        """False when Redis is away, or the lock stays another's: each process then fetches for itself. Raises NotSent: there
        is no time left."""
        until = time.monotonic() + min(LOCK_WAIT_S, deadline.remaining(WAIT_S) / 2)
        name = f"{_name(key)}:lock"
        while True:
            has_lock: bool | None = self._outage.attempt(
                lambda: bool(self._redis.set(name, mark, nx=True, ex=LOCK_S)), fallback=lambda: None
            )
            if has_lock is not False:
                return bool(has_lock)
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)

    def _unlock(self, key: str, mark: str) -> None:
        name = f"{_name(key)}:lock"

        def delete() -> None:
            if self._redis.get(name) == mark.encode():
                self._redis.delete(name)

        self._outage.attempt(delete, fallback=lambda: None)


def _name(key: str) -> str:
    return f"provider-token:{key}"


def _row(key: str) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, key)
