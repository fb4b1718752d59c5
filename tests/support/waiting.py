"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SLACK_S = 15.0
"""What a busy machine may add to a promise in seconds: longer than its worst pauses, shorter than any time-out or
interval that a broken promise would be waiting for."""


def wait_until(is_true: Callable[[], T], what: str, *, timeout_s: float = 30.0, every_s: float = 0.01) -> T:
    """The first truthy answer; AssertionError naming `what` when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := is_true():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(every_s)
