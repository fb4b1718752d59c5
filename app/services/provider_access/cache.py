"""A bounded cache whose keys may be made of secrets: they are kept as keyed digests only."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """At most `size` values; the least recently used one is dropped. Safe to share between threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._values: OrderedDict[bytes, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: bytes) -> bool:
        return key in self._values

    def discard(self, key: bytes) -> None:
        """Drop the value of `key`, if there is one."""
        with self._lock:
            self._values.pop(key, None)

    def key(self, *parts: str) -> bytes:
        """A digest of the parts, under a key of this process."""
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8) + encoded)
        return digest.digest()

    def find(self, key: bytes) -> V | None:
        """The value of `key`, None where there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: bytes, value: V) -> None:
        """Keep this value of `key`, whatever it had."""
        with self._lock:
            self._keep(key, value)

    def get(self, key: bytes, make: Callable[[], V]) -> V:
        """The value of `key`. `make` makes it where there is none; what it raises is raised, and nothing is kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        with self._lock:
            kept = self._values.setdefault(key, made)
            self._keep(key, kept)
            return kept

    def _keep(self, key: bytes, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > self._size:
            self._values.popitem(last=False)
