"""How many rows a list has: exactly up to 10,000, beyond that as of at most a minute ago.

Counting ten million rows takes half a second, counting ten thousand a millisecond.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

EXACT: Final = 10_000
LIFE_S: Final = 60.0
MAX_KEPT: Final = 1_000
"""Filters whose totals are remembered; when there are more, all are forgotten."""

_kept: dict[tuple[object, ...], tuple[int, float]] = {}
_lock: Final = threading.Lock()


def total(session: Session, query: Select[Any], *, key: tuple[object, ...]) -> int:
    """The number of rows of `query`, a select of one column. `key` names its filters, the tenant or user first."""
    capped = select(func.count()).select_from(query.limit(EXACT + 1).subquery())
    count = session.scalar(capped) or 0
    if count <= EXACT:
        return count
    with _lock:
        known, until = _kept.get(key, (0, 0.0))
    if time.monotonic() < until:
        return known
    count = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    with _lock:
        if len(_kept) >= MAX_KEPT:
            _kept.clear()
        _kept[key] = (count, time.monotonic() + LIFE_S)
    return count
