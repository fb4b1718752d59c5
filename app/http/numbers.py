"""Amounts in answers: JSON numbers, of the amount exactly, with one decimal at least (1000.0; 500 in JPY)."""

from __future__ import annotations

from decimal import Decimal

from app.money import Money


def number(money: Money) -> Decimal:
    """Major units. The JSON writer prints a Decimal's digits, so no float is on the way."""
    whole, point, decimals = str(money).partition(".")
    return Decimal(f"{whole}.{decimals.rstrip('0') or '0'}" if point else whole)
