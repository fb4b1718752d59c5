"""Amounts in Paystack's subunits, phone numbers in its spelling, its ids as texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from app import json_numbers
from app.money import MAX_MINOR, Money, exponent_of

SUBUNITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        # Subunits of one major unit on the wire. XOF has no minor unit (ISO 4217), but is sent times a hundred as well.
        "GHS": 100,
        "KES": 100,
        "NGN": 100,
        "USD": 100,
        "XOF": 100,
        "ZAR": 100,
    }
)

_DIGITS: Final = re.compile(r"[0-9]{1,16}")
_KENYAN: Final = re.compile(r"(?:\+?254|0)([17][0-9]{8})")


def to_subunits(amount: Money) -> int:
    """`amount` on Paystack's wire. KeyError: a currency Paystack does not take."""
    units: int = 10 ** exponent_of(amount.currency)
    return amount.amount_minor * SUBUNITS[amount.currency] // units


def from_subunits(value: object, currency: object) -> Money | None:
    """Paystack's amount, an integer or the text of one, as Money; None when it cannot be read exactly."""
    number = _integer(value)
    if (
        number is None
        or not isinstance(currency, str)
        or currency not in SUBUNITS
        or not 0 < number <= MAX_MINOR
    ):
        return None
    minor, rest = divmod(number * 10 ** exponent_of(currency), SUBUNITS[currency])
    return None if rest else Money(minor, currency)


def collected(data: Mapping[str, Any]) -> Money | None:
    """What a transaction brought for the order: `requested_amount`, for `amount` may hold fees the customer bore.

    Where `amount` is less than was requested, less was paid: then that counts.
    """
    currency = data.get("currency")
    paid, requested = (from_subunits(data.get(name), currency) for name in ("amount", "requested_amount"))
    if paid is None or requested is None:
        return paid if data.get("requested_amount") is None else None
    return min(paid, requested, key=lambda money: money.amount_minor)


def mpesa_number(phone: str) -> str | None:
    """`0712345678`, as Paystack's Kenyan wallets are written; None for what is no Kenyan mobile number."""
    found = _KENYAN.fullmatch(phone.strip())
    return f"0{found[1]}" if found else None


def _integer(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else None
    return json_numbers.whole(value)
