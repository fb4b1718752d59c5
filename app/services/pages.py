"""Pages of lists, as services return them. How a page is asked for and shown is the API's (app/http/pagination.py)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list: `limit` items behind `offset` of them, or behind the item whose id is `after`."""

    limit: int
    offset: int = 0
    after: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items in the list's order. total: of the whole list, as far as list_totals counts; None: it was not counted."""

    items: list[T]
    has_next: bool
    total: int | None = None

    @classmethod
    def cut(cls, rows: Sequence[T], *, limit: int, total: int | None = None) -> Page[T]:
        """Of up to `limit + 1` rows: the one too many tells that there is a next page."""
        return cls(list(rows[:limit]), len(rows) > limit, total)
