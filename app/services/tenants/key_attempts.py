"""Wrong API keys, and wrong credentials of applications, are counted by the client's address, in this process; beyond the limit they are refused unread.

Keys that were right lately are looked up even then: a merchant is not locked out by others behind its address.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from flask import Flask, current_app
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from app.addresses import client_network
from app.config.setting import ConfigError
from app.errors import AuthenticationFailed, InvalidApiKey, OAuthRefused, RateLimitExceeded
from app.services.provider_access.cache import BoundedCache
from app.services.tenants import api_keys
from app.services.tenants.api_keys import KnownKey
from app.services.tenants.key_uses import KeyUses

RIGHT_KEYS: Final = 4096
"""Keys that a process remembers as right lately, as digests."""

T = TypeVar("T")

log = structlog.get_logger("auth")


class KeyAttempts:
    """Safe to share between threads."""

    def __init__(self, limit: str) -> None:
        """limit: `20/minute`. Raises ConfigError."""
        try:
            self._limit = parse(limit)
        except ValueError as error:
            raise ConfigError(f"RATE_LIMIT_WRONG_KEYS is {limit!r}; it must be like 20/minute.") from error
        self._wrong = FixedWindowRateLimiter(MemoryStorage())
        self._right: BoundedCache[KnownKey] = BoundedCache(RIGHT_KEYS)
        self._right_of_applications: BoundedCache[None] = BoundedCache(RIGHT_KEYS)
        self._uses = KeyUses()

    def authenticate(self, key: str, address: str | None, *, is_checked_later: bool) -> KnownKey:
        network = client_network(address)
        digest = self._right.key(ascii(key))  # a client of Socket.IO may send half a surrogate pair
        if is_checked_later and (known := self._right.find(digest)) is not None:
            self._uses.note(known.key_id)
            return known
        if digest not in self._right:
            self._require_room(network)
        try:
            found = api_keys.authenticate(key)
        except InvalidApiKey:
            self._right.discard(digest)
            self._wrong.hit(self._limit, network)
            log.warning("auth.failed", kind="api_key", address=address)
            raise
        self._uses.note(found.key_id)
        self._right.put(digest, found)
        return found

    def checked(self, credential: str, check: Callable[[], T], address: str | None) -> T:
        """See the function below."""
        network, right = client_network(address), self._right_of_applications
        digest = right.key(ascii(credential))
        if digest not in right:
            self._require_room(network)
        try:
            found = check()
        except (AuthenticationFailed, OAuthRefused):
            right.discard(digest)
            self._wrong.hit(self._limit, network)
            log.warning("auth.failed", kind="oauth", address=address)
            raise
        right.get(digest, lambda: None)
        return found

    def _require_room(self, network: str) -> None:
        """Raises RateLimitExceeded."""
        if not self._wrong.test(self._limit, network):
            ends_at = self._wrong.get_window_stats(self._limit, network).reset_time
            raise RateLimitExceeded(
                "Too many wrong API keys, or credentials of applications, came from this address.",
                retry_after_s=max(1, round(ends_at - time.time())),
            )


def init(app: Flask) -> None:
    """Bind the application's own, from RATE_LIMIT_WRONG_KEYS. Raises ConfigError."""
    app.extensions["key_attempts"] = KeyAttempts(app.config["RATE_LIMIT_WRONG_KEYS"])


def authenticate(key: str, *, address: str | None, is_checked_later: bool = False) -> KnownKey:
    """A key that is good now. Raises InvalidApiKey, RateLimitExceeded, ServiceUnavailable.

    is_checked_later: a key that was right lately is not looked up, since what is done with it checks it (require_good).
    """
    attempts: KeyAttempts = current_app.extensions["key_attempts"]
    return attempts.authenticate(key, address, is_checked_later=is_checked_later)


def checked(credential: str, check: Callable[[], T], *, address: str | None) -> T:
    """What `check()` finds for a secret, code or token of an application; counted as wrong when it raises AuthenticationFailed or
    OAuthRefused. Raises RateLimitExceeded without a check."""
    attempts: KeyAttempts = current_app.extensions["key_attempts"]
    return attempts.checked(credential, check, address)
