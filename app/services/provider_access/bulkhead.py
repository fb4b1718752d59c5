"""So many calls to one provider at once in this process: one that hangs takes its own slots, not everybody's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from flask import Flask, current_app

from app.errors import ProviderUnreachable

SOONEST: Final = timedelta(seconds=1)
LATEST: Final = timedelta(seconds=30)
"""How long work waits that found no slot."""


class Bulkheads:
    """`slots` calls to each provider at a time."""

    def __init__(self, slots: int) -> None:
        self._slots = max(1, slots)
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}

    def try_acquire(self, provider: str) -> bool:
        """Take a slot, or return False at once, without waiting."""
        with self._lock:
            if self._taken.get(provider, 0) >= self._slots:
                return False
            self._taken[provider] = self._taken.get(provider, 0) + 1
            return True

    def release(self, provider: str) -> None:
        with self._lock:
            self._taken[provider] -= 1


def init(app: Flask) -> None:
    """A quarter of the threads for each provider, or what PROVIDER_CALLS_AT_ONCE says."""
    slots = app.config["PROVIDER_CALLS_AT_ONCE"] or app.config["WEB_THREADS"] // 4
    app.extensions["bulkheads"] = Bulkheads(slots)


def bulkheads() -> Bulkheads:
    """The application's own."""
    bound: Bulkheads = current_app.extensions["bulkheads"]
    return bound


@contextmanager
def slot(provider: str) -> Iterator[bool]:
    """Whether there was a slot; it is released at the end."""
    has_slot = bulkheads().try_acquire(provider)
    try:
        yield has_slot
    finally:
        if has_slot:
            bulkheads().release(provider)


@contextmanager
def required_slot(provider: str) -> Iterator[None]:
    """A slot, or ProviderUnreachable."""
    with slot(provider) as has_slot:
        if not has_slot:
            raise ProviderUnreachable("The payment provider is busy; try again.", retry_after_s=2)
        yield


def retry_at(now: datetime, *, since: datetime) -> datetime:
    """When work that found no slot is tried again: after a quarter of its age, so that thousands that wait for one provider
    release the worker to the others. since: when the work came up."""
    return now + min(max((now - since) / 4, SOONEST), LATEST)
