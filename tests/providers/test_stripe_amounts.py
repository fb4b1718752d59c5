"""The Stripe adapter: amounts on the wire and the tables of currencies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import EXPONENTS, Money, exponent_of
from app.providers.errors import (
    OutcomeUnknown,
    RequestRejected,
)
from app.providers.stripe import amounts


@pytest.mark.parametrize(
    ("minor", "currency", "wire"),
    [
        (1000, "USD", 1000),
        (1000, "KES", 1000),
        (500, "JPY", 500),
        (500, "XOF", 500),
        (500, "RWF", 500),
        (5, "UGX", 500),
        (1230, "KWD", 1230),
        (5000, "BHD", 5000),
        (99_999_999, "EUR", 99_999_999),
    ],
)
def test_amounts_on_the_wire(minor: int, currency: str, wire: int) -> None:
    assert amounts.to_wire(Money(minor, currency)) == wire
    assert amounts.from_wire(wire, currency.lower()) == Money(minor, currency)


def test_the_currency_tables_are_stripes() -> None:
    assert {c for c in EXPONENTS if amounts.wire_exponent(c) != exponent_of(c)} == {"UGX"}
    assert amounts.wire_exponent("MGA") == 0 and amounts.wire_exponent("ISK") == 2
    assert "UGX" in amounts.WHOLE_BUT_SENT_AS_HUNDREDTHS and "UGX" not in amounts.ZERO_DECIMAL


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(1, 99_999_999))
def test_every_amount_comes_back_as_it_went(currency: str, minor: int) -> None:
    money = Money(minor, currency)
    try:
        wire = amounts.to_wire(money)
    except RequestRejected:
        assert currency in amounts.THREE_DECIMAL and minor % 10
        return
    assert amounts.from_wire(wire, currency.lower()) == money
    assert currency != "UGX" or wire % 100 == 0


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        (None, "usd"),
        (True, "usd"),
        (1.5, "usd"),
        (100, None),
        (100, "xxx"),
        (550, "ugx"),
        (10**16, "usd"),
        (-(10**99), "usd"),
        (float("inf"), "usd"),
    ],
)
def test_an_amount_that_cannot_be_read_is_unknown(value: object, currency: object) -> None:
    with pytest.raises(OutcomeUnknown):
        amounts.from_wire(value, currency)
