"""Settings that are tables, written as JSON: exchange rates, costs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from app import json_numbers
from app.money import EXPONENTS
from app.providers import PROVIDERS

LARGEST_RATE: Final = Decimal(1_000_000)
SMALLEST_RATE: Final = 1 / LARGEST_RATE
"""No currency is worth more, or less, US dollars: a rate beyond is a slip that every limit would follow."""

ALL_OF_IT_PPM: Final = 1_000_000

MAX_FIXED_MINOR: Final = 10**9

_RATES_LIKE: Final = (
    'expected currencies with what one unit is worth in US dollars, such as {"EUR": "1.08", "KES": "0.0077"}'
)
_COSTS_LIKE: Final = 'expected costs such as {"paystack": {"NGN": [15000, 10000]}}'


def usd_rates(text: str) -> dict[str, Decimal]:
    """`{"EUR": "1.08"}`. Raises ValueError."""
    return dict(_rates(json_numbers.loads(text)))


def _rates(table: object) -> Iterator[tuple[str, Decimal]]:
    for code, rate in _members(table, _RATES_LIKE):
        if code.upper() not in EXPONENTS:
            raise ValueError(f"{code[:10]!r} is no currency of the gateway")
        if isinstance(rate, bool) or not isinstance(rate, str | int | Decimal):
            raise ValueError(_RATES_LIKE)
        number = json_numbers.decimal(str(rate))
        if not SMALLEST_RATE <= number <= LARGEST_RATE:
            raise ValueError(f"the rate of {code} must be above zero: from {SMALLEST_RATE} to {LARGEST_RATE}")
        if code.upper() == "USD" and number != 1:
            raise ValueError("one US dollar is one US dollar")
        yield code.upper(), number


def routing_costs(text: str) -> dict[str, dict[str, tuple[int, int]]]:
    """`{"paystack": {"NGN": [15000, 10000]}}`: parts per million of the amount, and fixed minor units. Raises ValueError."""
    table = json_numbers.loads(text or "{}")
    return {name: dict(_costs(name, rows)) for name, rows in _members(table, _COSTS_LIKE)}


def _costs(provider: str, table: object) -> Iterator[tuple[str, tuple[int, int]]]:
    if provider not in PROVIDERS:
        raise ValueError(f"{provider[:20]!r} is no provider")
    for code, pair in _members(table, _COSTS_LIKE):
        if code != "*" and code.upper() not in EXPONENTS:
            raise ValueError(f"{code[:10]!r} is no currency of the gateway, and not *")
        if not isinstance(pair, list) or len(pair) != 2 or any(type(figure) is not int for figure in pair):
            raise ValueError("a cost is two whole numbers, parts per million and fixed minor units")
        ppm, fixed = pair
        if not (0 <= ppm <= ALL_OF_IT_PPM and 0 <= fixed <= MAX_FIXED_MINOR):
            raise ValueError(f"a cost is at most [{ALL_OF_IT_PPM}, {MAX_FIXED_MINOR}], and not below zero")
        yield code.upper(), (ppm, fixed)


def _members(table: object, like: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(table, dict):
        raise ValueError(like)
    yield from table.items()
