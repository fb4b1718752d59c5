"""Amounts: the provider records the requested amount in every currency, or it refuses the request and records nothing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import InvalidAmount
from app.money import EXPONENTS, Money, exponent_of
from app.providers.base import State
from app.providers.errors import Declined, RequestRejected
from tests.providers.contract.case import every
from tests.providers.contract.scenario import ContractScenario, major

LEAST, MOST = 1_500, 250_000
"""Whole major units between which every provider takes amounts; the magic ones are left out."""


def _currencies() -> Iterator[Any]:
    """Every currency of every provider; of a provider's further cases one for each number of decimals."""
    providers: set[str] = set()
    for case in every():
        currencies = sorted(case.provider.capabilities.currencies)
        if case.name in providers:
            currencies = list({exponent_of(currency): currency for currency in currencies}.values())
        providers.add(case.name)
        for currency in currencies:
            yield pytest.param(case.id, currency, id=f"{case.id}-{currency}")


examples = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def amounts(currency: str) -> st.SearchStrategy[Money]:
    """With every number of decimals the currency has, around the powers of ten too."""
    unit = 10 ** exponent_of(currency)
    some = st.integers(LEAST * unit, MOST * unit)
    round_ones = st.sampled_from([LEAST * unit, 9_999 * unit, 10_000 * unit, 100_000 * unit - 1, MOST * unit])
    plain = (some | round_ones).filter(lambda minor: not 7_000 * unit <= minor <= 7_300 * unit)
    return plain.map(lambda minor: Money(minor, currency))


@pytest.mark.parametrize(("case_id", "currency"), list(_currencies()))
def test_recorded_amount_is_the_requested_amount(
    scenarios: dict[str, ContractScenario], case_id: str, currency: str
) -> None:
    scenario = scenarios[case_id]
    recorded: list[Money] = []

    @examples
    @given(amounts(currency))
    def exactly(amount: Money) -> None:
        request = scenario.request(amount)
        try:
            scenario.provider.check(amount, request.customer)
            result = scenario.charge(request)
        except (InvalidAmount, RequestRejected, Declined):
            if scenario.case.is_remote:
                assert scenario.recorded("charge", request.reference, request.short_reference) == []
            return
        done = scenario.becomes(scenario.charge_reference(request, result), State.SUCCEEDED)
        assert result.amount in (None, amount)
        assert done.amount in (None, amount)
        if scenario.case.is_remote:
            entries = scenario.environment.sandbox.book(scenario.case.name, _reference(scenario, request))[
                "entries"
            ]
            assert [(Decimal(one["amount"]), one["currency"]) for one in entries] == [
                (major(amount), currency)
            ]
        recorded.append(amount)

    exactly()
    # An amount that is certainly taken, so that the test cannot pass by refusals alone.
    plain = scenario.request(Money(2_000 * 10 ** exponent_of(currency), currency))
    result = scenario.charge(plain)
    scenario.becomes(scenario.charge_reference(plain, result), State.SUCCEEDED)
    if scenario.case.is_remote:
        (entry,) = scenario.environment.sandbox.book(scenario.case.name, _reference(scenario, plain))[
            "entries"
        ]
        assert (Decimal(entry["amount"]), entry["currency"]) == (Decimal(2_000), currency)


def _reference(scenario: ContractScenario, request) -> str:
    """What the simulator's book calls the charge."""
    return request.short_reference if scenario.case.name == "mpesa" else request.reference


def test_currencies_are_those_of_the_gateway(scenario: ContractScenario) -> None:
    for currency, limits in scenario.can.currencies.items():
        assert currency in EXPONENTS
        assert 1 <= limits.minimum <= (limits.maximum or limits.minimum)


def test_an_undeclared_currency_is_never_sent(scenario: ContractScenario) -> None:
    """`check` runs before every charge; an undeclared currency is never sent to the provider."""
    seen = len(scenario.environment.fault_proxy.seen)
    for currency in sorted(set(EXPONENTS) - set(scenario.can.currencies)):
        with scenario.refused(RequestRejected):
            scenario.provider.check(Money(100_000, currency), scenario.case.customer)
    assert len(scenario.environment.fault_proxy.seen) == seen
