"""Paystack's published fees by currency and channel, in subunits."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

RATES: Final = {
    # currency: {channel: (per cent, flat subunits)}; "" stands for every other channel.
    "NGN": {"": ("1.5", 10_000)},
    "GHS": {"": ("1.95", 0)},
    "KES": {"": ("2.9", 0), "mobile_money": ("1.5", 0)},
    "ZAR": {"": ("2.9", 100), "eft": ("2", 0)},
    "USD": {"": ("3.9", 0)},
    "XOF": {"": ("3.2", 0), "mobile_money": ("1.95", 0)},
    "EGP": {"": ("2.7", 250)},
    "RWF": {"": ("2.9", 0)},
}


def fee(amount: int, currency: str, *, channel: str) -> int:
    """The fee of `amount` subunits, rounded half up to whole subunits."""
    rates = RATES[currency]
    per_cent, flat = rates.get(channel, rates[""])
    return int((Decimal(amount) * Decimal(per_cent) / 100).to_integral_value(ROUND_HALF_UP)) + flat
