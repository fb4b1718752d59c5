"""Which work in this thread holds a database connection: no provider may be called meanwhile.

A call over the network lasts seconds; a connection or a lock held for so long starves everybody else (RELIABILITY).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_HELD: Final[ContextVar[int]] = ContextVar("held_connections", default=0)


class ConnectionHeld(AssertionError):
    """A network call was about to be made with a database connection in hand: a bug of ours, never the caller's."""


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
