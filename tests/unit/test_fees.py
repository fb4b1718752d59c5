"""A fee is whole minor units, exact, between nothing and everything; the order of rules does not matter."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.models.fee_rule import FeeRule
from app.money import MAX_MINOR
from app.services.tenants.fees import MILLION, fee_of, most_specific

amounts = st.integers(1, MAX_MINOR)
rates = st.integers(0, MILLION)
fixed = st.integers(0, 10**9)


@given(amounts, fixed, rates)
def test_a_fee_is_what_arithmetic_says(amount: int, fixed_minor: int, rate_ppm: int) -> None:
    exact = (Decimal(amount) * rate_ppm / MILLION).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    fee = fee_of(amount, fixed_minor=fixed_minor, rate_ppm=rate_ppm)
    assert fee == min(amount, fixed_minor + int(exact)) and type(fee) is int
    assert 0 <= fee <= amount


@given(amounts, amounts, fixed, rates)
def test_a_larger_amount_never_costs_less(one: int, other: int, fixed_minor: int, rate_ppm: int) -> None:
    small, large = sorted((one, other))
    assert fee_of(small, fixed_minor=fixed_minor, rate_ppm=rate_ppm) <= fee_of(
        large, fixed_minor=fixed_minor, rate_ppm=rate_ppm
    )


def test_halves_are_rounded_up() -> None:
    assert [fee_of(amount, fixed_minor=0, rate_ppm=500_000) for amount in (1, 2, 3)] == [1, 1, 2]
    assert fee_of(1, fixed_minor=0, rate_ppm=499_999) == 0


TENANT = uuid.UUID(int=1)


@st.composite
def rules(draw: st.DrawFn) -> FeeRule:
    start = draw(st.integers(0, 50))
    width = draw(st.none() | st.integers(1, 100))
    return FeeRule(
        id=draw(st.uuids()),
        tenant_id=draw(st.sampled_from([None, TENANT])),
        plan=draw(st.sampled_from([None, "growth"])),
        provider=draw(st.sampled_from([None, "mpesa"])),
        currency=draw(st.sampled_from([None, "KES"])),
        from_minor=start,
        below_minor=None if width is None else start + width,
        created_at=datetime(2026, 1, draw(st.integers(1, 28)), tzinfo=UTC),
    )


@given(st.lists(rules(), min_size=1, max_size=8), st.randoms())
def test_the_deciding_rule_does_not_depend_on_the_order(found: list[FeeRule], random) -> None:
    chosen = most_specific(found)
    random.shuffle(found)
    assert most_specific(found) is chosen
    assert chosen
    if any(rule.tenant_id for rule in found):
        assert chosen.tenant_id
    peers = [rule for rule in found if (rule.tenant_id, rule.plan) == (chosen.tenant_id, chosen.plan)]
    if any(rule.provider for rule in peers):
        assert chosen.provider


def test_no_rule_decides_nothing() -> None:
    assert most_specific([]) is None
