"""Amounts as text and as JSON numbers."""

from __future__ import annotations

from decimal import Decimal

from app import json_numbers


def decimal_text(amount: Decimal) -> str:
    """`amount` with at least two decimals and without an exponent: 100.00, 0.125."""
    exponent = amount.normalize().as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{amount:.{places}f}"


def json_number(amount: Decimal) -> int | float:
    """`amount` as a JSON number: 100, 3.5."""
    return json_numbers.plain(amount)
