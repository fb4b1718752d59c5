"""Amounts: what is asked for is what the provider books, in every currency; or it is refused and nothing is booked."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import InvalidAmount
from app.money import EXPONENTS, Money, exponent_of
from app.providers.base import State
from app.providers.errors import Declined, RequestRejected
from tests.providers.contract.case import every
from tests.providers.contract.scene import Scene, major

LEAST, MOST = 1_500, 250_000
"""Whole major units between which every provider takes amounts; the magic ones are left out."""

CURRENCIES = [
    pytest.param(case.id, currency, id=f"{case.id}-{currency}")
    for case in every()
    for currency in sorted(case.provider.capabilities.currencies)
]

examples = settings(
    max_examples=3, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip


def amounts(currency: str) -> st.SearchStrategy[Money]:
    """With every number of decimals the currency has, around the powers of ten too."""
    unit = 10 ** exponent_of(currency)
    some = st.integers(LEAST * unit, MOST * unit)
    round_ones = st.sampled_from([LEAST * unit, 9_999 * unit, 10_000 * unit, 100_000 * unit - 1, MOST * unit])
    plain = (some | round_ones).filter(lambda minor: not 7_000 * unit <= minor <= 7_300 * unit)
    return plain.map(lambda minor: Money(minor, currency))


@pytest.mark.parametrize(("case_id", "currency"), CURRENCIES)
def test_what_is_booked_is_what_was_asked_for(scenes: dict[str, Scene], case_id: str, currency: str) -> None:
    scene = scenes[case_id]
    booked: list[Money] = []

    @examples
    @given(amounts(currency))
    def exactly(amount: Money) -> None:
        request = scene.request(amount)
        try:
            scene.provider.check(amount, request.customer)
            told = scene.charge(request)
        except (InvalidAmount, RequestRejected, Declined):
            if scene.case.is_remote:
                assert scene.booked("charge", request.reference, request.label) == []
            return
        done = scene.becomes(scene.handle(request, told), State.SUCCEEDED)
        assert told.amount in (None, amount)
        assert done.amount in (None, amount)
        if scene.case.is_remote:
            entries = scene.theatre.sandbox.book(scene.case.name, _reference(scene, request))["entries"]
            assert [(Decimal(one["amount"]), one["currency"]) for one in entries] == [
                (major(amount), currency)
            ]
        booked.append(amount)

    exactly()
    # An amount that is certainly taken, so that the test cannot pass by refusals alone.
    plain = scene.request(Money(2_000 * 10 ** exponent_of(currency), currency))
    told = scene.charge(plain)
    scene.becomes(scene.handle(plain, told), State.SUCCEEDED)
    if scene.case.is_remote:
        (entry,) = scene.theatre.sandbox.book(scene.case.name, _reference(scene, plain))["entries"]
        assert (Decimal(entry["amount"]), entry["currency"]) == (Decimal(2_000), currency)


def _reference(scene: Scene, request) -> str:
    """What the simulator's book calls the charge."""
    return request.label if scene.case.name == "mpesa" else request.reference


def test_currencies_are_those_of_the_gateway(scene: Scene) -> None:
    for currency, limits in scene.can.currencies.items():
        assert currency in EXPONENTS
        assert 1 <= limits.minimum <= (limits.maximum or limits.minimum)


def test_an_undeclared_currency_is_never_sent(scene: Scene) -> None:
    """`check` stands before every charge; nobody is asked about a currency that is not declared."""
    seen = len(scene.theatre.meddler.seen)
    for currency in sorted(set(EXPONENTS) - set(scene.can.currencies)):
        with scene.refused(RequestRejected):
            scene.provider.check(Money(100_000, currency), scene.case.customer)
    assert len(scene.theatre.meddler.seen) == seen
