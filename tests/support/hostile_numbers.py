"""JSON numbers that are short to write and expensive, or impossible, to compute with, and how long a call may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Final, TypeVar

T = TypeVar("T")

NUMBERS: Final = MappingProxyType(
    {
        "two million digits": "1e1999999",
        "negative": "-1e1999999",
        "tiny": "1e-1999999",
        "plus": "1E+1999999",
        "zero": "0e1999999",
        "fraction": "1.5e1999999",
        "400 digits": "1E400",
        "400 decimals": "1e-400",
        "jsonb's limit": "1e131073",
        "exponent of 18 digits": "1e999999999999999999",
        "exponent of 19 digits": "1e9999999999999999999",
        "negative exponent of 19 digits": "1e-9999999999999999999",
        "exponent of 3,000 digits": "1e" + "9" * 3000,
        "4,000 digits": "9" * 4000,
        "5,000 digits": "9" * 5000,
        "5,000 decimals": "0." + "3" * 5000,
        "negative of 5,000 digits": "-" + "9" * 5000,
        "20 digits": "18446744073709551616",
        "100 digits": "7" * 100,
        "NaN": "NaN",
        "Infinity": "Infinity",
        "minus Infinity": "-Infinity",
    }
)
"""By name; each is put into a body where `#` is."""

LIMIT_S: Final = 0.1
"""Of one request, processor time."""

ATTEMPTS: Final = 3
HOPELESS_S: Final = 1.0
"""A call that takes so long is not tried again."""


def spent(call: Callable[[], T]) -> tuple[float, T]:
    """Processor time of this thread, in seconds (what others use does not count), and the answer."""
    began = time.thread_time()
    answer = call()
    return time.thread_time() - began, answer


def seconds(call: Callable[[], T]) -> tuple[float, T]:
    """The same, the best of up to three calls: what a call uses may be charged for a neighbour's cache."""
    took, answer = spent(call)
    best = took
    for _ in range(ATTEMPTS - 1):
        if best < LIMIT_S or took > HOPELESS_S:
            break
        took, answer = spent(call)
        best = min(best, took)
    return best, answer
