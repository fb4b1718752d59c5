"""Whether this thread holds a database connection: no provider may be called while it does.

A call over the network lasts seconds. A connection or lock held for so long makes every other request wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_HELD: Final[ContextVar[int]] = ContextVar("held_connections", default=0)


class ConnectionHeld(AssertionError):
    """A network call was about to be made while a database connection was held: a bug in the gateway."""


@contextmanager
def held() -> Iterator[None]:
    """Around everything that has a connection."""
    token = _HELD.set(_HELD.get() + 1)
    try:
        yield
    finally:
        _HELD.reset(token)


def require_none(what: str) -> None:
    """Raises ConnectionHeld when this thread holds a connection; `what` was about to be done."""
    if _HELD.get():
        raise ConnectionHeld(f"{what} was called while a database connection is held")
