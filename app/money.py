"""Money: whole minor units of one currency. Never a float on the way in, through or out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

from app.errors import InvalidAmount, UnsupportedCurrency

EXPONENTS: Final = MappingProxyType({
    # ISO 4217 minor-unit exponents. A currency that is not here is not accepted.
    "AED": 2, "AUD": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CNY": 2, "DKK": 2, "EGP": 2, "ETB": 2,
    "EUR": 2, "GBP": 2, "GHS": 2, "INR": 2, "JPY": 0, "KES": 2, "KRW": 0, "KWD": 3, "NGN": 2, "NOK": 2,
    "NZD": 2, "PLN": 2, "RWF": 0, "SEK": 2, "SGD": 2, "TZS": 2, "UGX": 0, "USD": 2, "XAF": 0, "XOF": 0,
    "ZAR": 2, "ZMW": 2,
})  # fmt: skip

MAX_MINOR: Final = 10**15
"""No amount above this many minor units: far from any wallet, and sums of 9,000 of them fit a bigint."""

MAX_TEXT: Final = 40
"""Longest amount text, in characters, that is parsed at all."""

_PLAIN_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")

_EXACT: Final = Context(prec=200)
"""Digits enough for every number that is read: the default, 28, would round a fraction of a cent away."""


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`amount_minor` minor units of `currency` (ISO 4217, upper case)."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        exponent_of(self.currency)

    def __str__(self) -> str:
        """The decimal string, as Wallet and Gateway answers print it: `1000.00`, `500` in JPY."""
        return format_minor(self.amount_minor, self.currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount_minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount_minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"cannot mix {self.currency} and {other.currency}")
        return other.amount_minor

    def as_number(self) -> int | float:
        """The JSON number for surfaces that print numbers. Exact: MAX_MINOR fits a double's 53 bits."""
        exponent = exponent_of(self.currency)
        return self.amount_minor / 10**exponent if exponent else self.amount_minor

    @classmethod
    def parse(cls, value: object, currency: str) -> Money:
        """`value` (a JSON number as int or Decimal, or a decimal string) in major units of `currency`.

        Raises InvalidAmount for anything that is not a positive, finite number with at most the currency's
        decimals (trailing zeros do not count), UnsupportedCurrency for an unknown currency.
        """
        exponent = exponent_of(currency)
        number = _decimal(value)
        if not number.is_finite():
            raise InvalidAmount("The amount must be a finite number.", field="amount")
        if number <= 0:
            raise InvalidAmount("The amount must be greater than zero.", field="amount")
        # Bounds before scaling: an exponent such as 1e999999 must not be expanded.
        if number.adjusted() > 16 or number.adjusted() < -8:
            raise InvalidAmount("The amount is out of range.", field="amount")
        minor = number.scaleb(exponent, context=_EXACT)
        if minor != minor.to_integral_value():
            raise InvalidAmount(f"{currency} amounts have at most {exponent} decimals.", field="amount")
        if minor > MAX_MINOR:
            raise InvalidAmount("The amount is out of range.", field="amount")
        return cls(int(minor), currency)


def _decimal(value: object) -> Decimal:
    """Decimal of a JSON number or plain decimal string; booleans, floats and odd spellings are refused."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        raise InvalidAmount("The amount must be a number or a decimal string.", field="amount")
    if isinstance(value, str) and not _is_plain_decimal(value):
        raise InvalidAmount("The amount must be a number or a decimal string.", field="amount")
    if isinstance(value, int) and abs(value) > MAX_MINOR:
        raise InvalidAmount("The amount is out of range.", field="amount")
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise InvalidAmount("The amount must be a number or a decimal string.", field="amount") from error


def number_of(value: object) -> object:
    """The number that a decimal string spells, so that "5.00" and 5 are one value; anything else is returned as it is."""
    return Decimal(value) if isinstance(value, str) and _is_plain_decimal(value) else value


def _is_plain_decimal(text: str) -> bool:
    """ASCII digits, of which some may follow a point, and a leading minus: no `1_0`, `1.`, `.5`, `1e5`, full-width digits."""
    return len(text) <= MAX_TEXT and _PLAIN_DECIMAL.fullmatch(text) is not None


def exponent_of(currency: str) -> int:
    """Decimal places of `currency`. Raises UnsupportedCurrency."""
    try:
        return EXPONENTS[currency]
    except (KeyError, TypeError):
        raise UnsupportedCurrency(field="currency") from None


def format_minor(amount_minor: int, currency: str) -> str:
    """`amount_minor` as a decimal string with the currency's full decimals, sign first."""
    exponent = exponent_of(currency)
    if not exponent:
        return str(amount_minor)
    sign = "-" if amount_minor < 0 else ""
    whole, rest = divmod(abs(amount_minor), 10**exponent)
    return f"{sign}{whole}.{rest:0{exponent}d}"


def in_usd_minor(amount: Money, rates: Mapping[str, Decimal]) -> int:
    """US cents of `amount` by `rates` (US dollars for one major unit), rounded half up, at least one cent.

    Raises UnsupportedCurrency when the table has no rate.
    """
    if amount.currency == "USD":
        return amount.amount_minor
    rate = rates.get(amount.currency)
    if rate is None:
        raise UnsupportedCurrency(field="currency")
    cents = Decimal(amount.amount_minor).scaleb(2 - exponent_of(amount.currency)) * rate
    return max(1, int(cents.quantize(Decimal(1), rounding=ROUND_HALF_UP)))
