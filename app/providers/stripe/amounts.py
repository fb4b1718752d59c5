"""Amounts as Stripe counts them: whole numbers of a unit that is not always ISO 4217's minor unit.

Source: docs.stripe.com/currencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.money import EXPONENTS, MAX_MINOR, Money, exponent_of
from app.providers.base import Limits
from app.providers.errors import OutcomeUnknown, RequestRejected

ZERO_DECIMAL: Final = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "JPY",
        "KMF",
        "KRW",
        "MGA",
        "PYG",
        "RWF",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
"""Sent as they are."""

THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Sent times 1,000; the last digit must be 0."""

WHOLE_BUT_SENT_AS_HUNDREDTHS: Final = frozenset({"ISK", "UGX"})
"""No decimals in practice, but sent times 100. Stripe's page lists UGX as zero-decimal too; this rule governs."""

MAX_WIRE: Final = 99_999_999
"""Eight digits."""


def wire_exponent(currency: str) -> int:
    """Decimal places of the number that is sent for `currency`; whatever has no rule has two."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def to_wire(amount: Money) -> int:
    """`amount` as Stripe's integer. Raises RequestRejected when Stripe has no such amount."""
    shift = wire_exponent(amount.currency) - exponent_of(amount.currency)
    wire, rest = _shifted(amount.amount_minor, shift)
    if rest:
        raise RequestRejected(f"Stripe takes whole {amount.currency} only.", code="amount")
    if amount.currency in THREE_DECIMAL and wire % 10:
        raise RequestRejected(
            f"Stripe takes {amount.currency} with two decimals: the third must be 0.", code="amount"
        )
    return wire


def from_wire(value: object, currency: object) -> Money:
    """Stripe's integer and lower-case code as Money. Raises OutcomeUnknown for what is neither."""
    if isinstance(value, bool) or not isinstance(value, int) or not isinstance(currency, str):
        raise OutcomeUnknown("Stripe's answer has no readable amount.")
    if abs(value) > MAX_MINOR:
        raise OutcomeUnknown("Stripe's answer has an amount beyond any that is asked for.")
    code = currency.upper()
    if code not in EXPONENTS:
        raise OutcomeUnknown("Stripe's answer is in a currency the gateway does not know.")
    minor, rest = _shifted(value, exponent_of(code) - wire_exponent(code))
    if rest:
        raise OutcomeUnknown(f"Stripe's answer has a fraction of {code}, which has none.")
    return Money(minor, code)


def limits() -> Mapping[str, Limits]:
    """Every currency of the gateway with Stripe's largest amount. The smallest, about half a US dollar, is left to
    Stripe: it depends on the currency the account is paid out in."""
    return MappingProxyType(
        {
            code: Limits(maximum=_shifted(MAX_WIRE, exponent_of(code) - wire_exponent(code))[0])
            for code in EXPONENTS
        }
    )


def _shifted(number: int, places: int) -> tuple[int, int]:
    """`number` times ten to the `places`, and what an integer cannot hold of it."""
    factor = int(10 ** abs(places))
    return (number * factor, 0) if places >= 0 else divmod(number, factor)
