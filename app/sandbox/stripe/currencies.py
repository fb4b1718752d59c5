"""Stripe's rules for amounts: the decimals of a currency in the API, and the amounts that can be charged.

Source: docs.stripe.com/currencies. The page lists UGX both as a currency without decimals and as a special case that is
sent times a hundred. The special case is used here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.sandbox.stripe.errors import invalid

ZERO_DECIMAL: Final = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
THREE_DECIMAL: Final = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
WHOLE_HUNDREDS: Final = frozenset(("ISK", "UGX"))
"""Currencies without decimals that are sent times a hundred: the last two digits are 00."""

_CODES: Final = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP
CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD
JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO
NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TND
TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
"""
SUPPORTED: Final = frozenset(_CODES.split())

MINIMUM: Final = {
    # Major units. The first group is Stripe's table. The second is about half a US dollar, by the rule "0.50 USD in the
    # settlement currency".
    "USD": "0.50", "AED": "2.00", "AUD": "0.50", "BGN": "1.00", "BRL": "0.50", "CAD": "0.50", "CHF": "0.50", "CZK": "15",
    "DKK": "2.50", "EUR": "0.50", "GBP": "0.30", "HKD": "4.00", "HUF": "175", "INR": "0.50", "JPY": "50", "MXN": "10",
    "MYR": "2", "NOK": "3.00", "NZD": "0.50", "PLN": "2.00", "RON": "2.00", "SEK": "3.00", "SGD": "0.50", "THB": "10",
    "BHD": "0.200", "EGP": "25", "ETB": "60", "GHS": "6", "JOD": "0.350", "KES": "65", "KRW": "700", "KWD": "0.150",
    "NGN": "800", "OMR": "0.200", "RWF": "700", "TND": "1.500", "TZS": "1300", "UGX": "1800", "XAF": "300", "XOF": "300",
    "ZAR": "9", "ZMW": "12",
}  # fmt: skip

MAXIMUM: Final = 99_999_999
"""Eight digits in the smallest unit."""


def exponent(currency: str) -> int:
    """Decimals of `currency` (upper case) in Stripe's API."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def major(amount: int, currency: str) -> Decimal:
    """An `amount` of the API in major units. `currency` in either case."""
    return Decimal(amount).scaleb(-exponent(currency.upper()))


def supported(currency: str) -> str:
    """The currency in lower case. Raises when Stripe does not support it."""
    if currency.upper() not in SUPPORTED:
        raise invalid(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: "
            + ", ".join(sorted(SUPPORTED)).lower(),
            param="currency",
        )
    return currency.lower()


def check(amount: int, currency: str, *, param: str = "amount") -> None:
    """Raises ApiError unless `amount` can be charged: `amount_too_small`, `amount_too_large` or an invalid integer."""
    code = currency.upper()
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", param=param, code="parameter_invalid_integer"
        )
    if amount > MAXIMUM:
        most = major(MAXIMUM, code)
        raise invalid(f"Amount must be no more than {most} {currency}", param=param, code="amount_too_large")
    check_step(amount, currency, param=param)
    least = Decimal(MINIMUM.get(code, "0"))
    if major(amount, code) < least:
        raise invalid(f"Amount must be at least {least} {currency}", param=param, code="amount_too_small")


def check_step(amount: int, currency: str, *, param: str = "amount") -> None:
    """Raises ApiError unless the last digits are 0 where the currency requires that."""
    code = currency.upper()
    step = 100 if code in WHOLE_HUNDREDS else 10 if code in THREE_DECIMAL else 1
    if amount % step:
        zeros = str(step)[1:]
        raise invalid(
            f"Invalid amount: {code} amounts must end in {zeros}, {amount} does not.",
            param=param,
            code="parameter_invalid_integer",
        )
