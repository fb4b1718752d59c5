"""Amounts: what is printed parses back, what is parsed is exact, what is nonsense never parses."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import GatewayError, InvalidAmount
from app.http.strict_json import parse_object
from app.money import EXPONENTS, MAX_MINOR, Money, exponent_of, format_minor

currencies = st.sampled_from(sorted(EXPONENTS))
minors = st.integers(1, MAX_MINOR)


@settings(max_examples=200)
@given(minors, currencies)
def test_printed_and_parsed_is_the_same(minor: int, currency: str) -> None:
    """Breaks when a float is on the way: above 2**53 / 100 it loses cents."""
    text = format_minor(minor, currency)
    assert Money.parse(text, currency) == Money(minor, currency)
    assert Money.parse(Decimal(text), currency) == Money(minor, currency)
    assert Money.parse(parse_object(f'{{"a": {text}}}'.encode())["a"], currency) == Money(minor, currency)


@settings(max_examples=200)
@given(minors, currencies)
def test_the_json_number_is_exact(minor: int, currency: str) -> None:
    """Printed as a double and read back in its shortest form, it is the same amount."""
    number = Money(minor, currency).as_number()
    assert Decimal(repr(number)).scaleb(exponent_of(currency)) == minor


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=50), st.text("0123456789.-+eE_, ", max_size=45)), currencies)
def test_a_text_is_an_amount_exactly_when_it_is_plain_digits(text: str, currency: str) -> None:
    try:
        parsed = Money.parse(text, currency)
    except InvalidAmount:
        return
    assert text.replace(".", "", 1).isascii()
    assert text.replace(".", "", 1).isdigit()
    assert 0 < parsed.amount_minor <= MAX_MINOR
    assert Decimal(text).scaleb(exponent_of(currency)) == parsed.amount_minor


@settings(max_examples=200)
@given(st.decimals(), currencies)
def test_a_number_is_exact_or_refused(number: Decimal, currency: str) -> None:
    try:
        parsed = Money.parse(number, currency)
    except InvalidAmount:
        return
    assert number.scaleb(exponent_of(currency)) == parsed.amount_minor > 0


@settings(max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    st.text(max_size=4) | st.none() | st.integers() | st.lists(st.integers(), max_size=1),
)
def test_nothing_but_our_own_refusals_comes_out(value: object, currency: object) -> None:
    """Breaks when a strange value reaches Decimal() or a dictionary unguarded: that would be a 500."""
    try:
        parsed = Money.parse(value, currency)  # type: ignore[arg-type]
    except GatewayError:
        return
    assert isinstance(value, str)
    assert parsed.amount_minor > 0


@settings(max_examples=150)
@given(st.lists(st.integers(-MAX_MINOR, MAX_MINOR), max_size=20), currencies)
def test_sums_are_those_of_whole_numbers(amounts: list[int], currency: str) -> None:
    total = sum((Money(amount, currency) for amount in amounts), Money(0, currency))
    assert total.amount_minor == sum(amounts)
