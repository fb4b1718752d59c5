"""How long one operation at a provider may take, with all its requests: the token, the call, and the call again.

Whoever waits for an operation counts on it: an attempt that is `sending` for longer than that has lost its process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from app.providers.errors import NotSent

LEAST_S: Final = 2.0
"""No request is begun with less time than this: its answer could not arrive in time."""

_UNTIL: Final[ContextVar[float | None]] = ContextVar("provider_deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Everything inside is over in so many seconds. An outer limit stays where it is earlier."""
    outer = _UNTIL.get()
    until = time.monotonic() + seconds
    token = _UNTIL.set(until if outer is None else min(outer, until))
    try:
        yield
    finally:
        _UNTIL.reset(token)


def remaining(at_most: float) -> float:
    """Seconds that are left for the next request, `at_most` so many. Raises NotSent when there are none."""
    until = _UNTIL.get()
    if until is None:
        return at_most
    left = until - time.monotonic()
    if left < min(LEAST_S, at_most / 2):
        raise NotSent("There was no time left to ask the provider.", code="no_time")
    return min(at_most, left)
