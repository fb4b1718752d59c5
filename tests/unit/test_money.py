"""Amounts in and out: whole minor units, never a float."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.errors import InvalidAmount, UnsupportedCurrency
from app.money import EXPONENTS, MAX_MINOR, Money, format_minor, in_usd_minor


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        (100, "USD", 100_00),
        (Decimal("100.0"), "USD", 100_00),
        ("0.01", "USD", 1),
        ("1.10", "USD", 110),
        ("1.1000", "USD", 110),
        (Decimal("1E+2"), "USD", 100_00),
        ("5", "JPY", 5),
        ("5.0", "JPY", 5),
        ("1.234", "KWD", 1234),
        (Decimal("0.001"), "KWD", 1),
        ("10000000000000", "USD", MAX_MINOR),
        (Decimal("0.29"), "USD", 29),
        (Decimal("1.005"), "KWD", 1005),
        ("00012.50", "USD", 1250),
    ],
)
def test_amounts_become_minor_units(value: object, currency: str, minor: int) -> None:
    """Breaks when parsing goes through a float (0.29 * 100 = 28.999…)."""
    assert Money.parse(value, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        "0",
        "0.00",
        "-0.01",
        Decimal("-5"),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("sNaN"),
        Decimal("1E+400"),
        Decimal("1E-400"),
        Decimal("1E+999999"),
        "NaN",
        "Infinity",
        "1e5",
        "1_000",
        "1,000",
        " 1",
        "1." + "0" * 30 + "1",
        Decimal("1." + "0" * 40 + "1"),
        "1 ",
        "+1",
        "",
        ".",
        "-",
        "1.2.3",
        "1.",
        ".5",
        "-.5",
        "１",
        "٣",
        "0x10",
        "1" * 41,
        10**16,
        10**400,
        True,
        False,
        None,
        1.5,
        [],
        {},
        [1],
        b"1",
        "10000000000000.01",
        "0.001",
        Decimal("0.005"),
        "\n1",
        "1\n",
        "$1",
        "1\x00",
    ],
)
def test_nonsense_is_no_amount(value: object) -> None:
    """Breaks when the finite check, the bound or the decimals check is left out."""
    with pytest.raises(InvalidAmount) as caught:
        Money.parse(value, "USD")
    assert caught.value.field == "amount"


@pytest.mark.parametrize("currency", ["usd", "XXX", "", "US", "USDD", "ＵＳＤ", None, [], {}, 5, True])
def test_an_unknown_currency_is_refused(currency: object) -> None:
    with pytest.raises(UnsupportedCurrency):
        Money.parse("1", currency)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedCurrency):
        Money(1, currency)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1000_00, "USD", "1000.00"),
        (1, "USD", "0.01"),
        (-1, "USD", "-0.01"),
        (-12345, "KWD", "-12.345"),
        (0, "USD", "0.00"),
        (500, "JPY", "500"),
        (-500, "JPY", "-500"),
        (7, "KWD", "0.007"),
    ],
)
def test_amounts_print_with_their_decimals(minor: int, currency: str, text: str) -> None:
    assert format_minor(minor, currency) == text
    assert str(Money(minor, currency)) == text


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="cannot mix"):
        _ = Money(1, "USD") + Money(1, "EUR")
    assert Money(5, "USD") - Money(7, "USD") == -Money(2, "USD")


def test_the_exponents_are_those_of_iso_4217() -> None:
    """Pins the table: one wrong exponent is a factor of ten."""
    odd = {code: exponent for code, exponent in EXPONENTS.items() if exponent != 2}
    assert odd == {"BHD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "RWF": 0, "UGX": 0, "XAF": 0, "XOF": 0}


def test_dollars_by_rate() -> None:
    rates = {"KES": Decimal("0.0077"), "JPY": Decimal("0.0066"), "KWD": Decimal("3.25")}
    assert in_usd_minor(Money(123, "USD"), rates) == 123
    assert in_usd_minor(Money(100_00, "KES"), rates) == 77
    assert in_usd_minor(Money(1000, "JPY"), rates) == 660
    assert in_usd_minor(Money(1000, "KWD"), rates) == 325
    assert in_usd_minor(Money(1, "KES"), rates) == 1, "never free: at least one cent"
    with pytest.raises(UnsupportedCurrency):
        in_usd_minor(Money(1, "EUR"), rates)
