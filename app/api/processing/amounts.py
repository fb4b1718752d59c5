"""What the Processing API takes: currencies with the least and the greatest amount of a payment, and payment methods."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.money import Money

PAYMENT_METHODS: Final = ("card", "bank_transfer", "wallet", "crypto")


def _between(least: str, greatest: str, currency: str) -> tuple[Money, Money]:
    return Money.parse(least, currency), Money.parse(greatest, currency)


LIMITS: Final = MappingProxyType(
    {
        "USD": _between("0.50", "999999.99", "USD"),
        "EUR": _between("0.50", "999999.99", "EUR"),
        "GBP": _between("0.30", "999999.99", "GBP"),
        "JPY": _between("50", "99999999", "JPY"),
        "CAD": _between("0.50", "999999.99", "CAD"),
        "AUD": _between("0.50", "999999.99", "AUD"),
        "INR": _between("1.00", "99999999.99", "INR"),
    }
)
"""Currency → the least and the greatest amount, in the document's order of currencies."""
