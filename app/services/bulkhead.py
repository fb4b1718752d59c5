"""So many calls to one provider at once in this process: one that hangs takes its own places, not everybody's."""

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
"""How long work waits that found no place."""


class Bulkheads:
    """`places` calls to each provider at a time."""

    def __init__(self, places: int) -> None:
        self._places = max(1, places)
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}

    def try_enter(self, provider: str) -> bool:
        """Take a place, or False at once: nobody waits."""
        with self._lock:
            if self._taken.get(provider, 0) >= self._places:
                return False
            self._taken[provider] = self._taken.get(provider, 0) + 1
            return True

    def leave(self, provider: str) -> None:
        with self._lock:
            self._taken[provider] -= 1


def init(app: Flask) -> None:
    """A quarter of the threads for each provider (DESIGN), or what PROVIDER_CALLS_AT_ONCE says."""
    places = app.config["PROVIDER_CALLS_AT_ONCE"] or app.config["WEB_THREADS"] // 4
    app.extensions["bulkheads"] = Bulkheads(places)


def bulkheads() -> Bulkheads:
    """The application's own."""
    bound: Bulkheads = current_app.extensions["bulkheads"]
    return bound


@contextmanager
def place(provider: str) -> Iterator[bool]:
    """Whether there was a place; it is given back at the end."""
    is_in = bulkheads().try_enter(provider)
    try:
        yield is_in
    finally:
        if is_in:
            bulkheads().leave(provider)


@contextmanager
def required_place(provider: str) -> Iterator[None]:
    """A place, or ProviderUnreachable."""
    with place(provider) as is_in:
        if not is_in:
            raise ProviderUnreachable("The payment provider is busy; try again.", retry_after_s=2)
        yield


def try_again_at(now: datetime, *, since: datetime) -> datetime:
    """When work that found no place comes back: after a quarter of its age, so that thousands that wait for one provider
    leave the worker to the others. since: when the work came up."""
    return now + min(max((now - since) / 4, SOONEST), LATEST)
