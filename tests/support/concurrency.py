"""Calls that start at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")


def concurrently(count: int, act: Callable[[int], T]) -> list[T]:
    """Call `act(0)` … `act(count - 1)` from as many threads, released at once; their results in that order."""
    barrier = Barrier(count)

    def run(number: int) -> T:
        barrier.wait(timeout=30)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
