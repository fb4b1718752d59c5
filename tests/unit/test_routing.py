"""Which provider `auto` asks first: those that can, healthy ones first, at home before abroad, then by cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest

from app.config.loader import load
from app.config.setting import ConfigError
from app.money import Money
from app.providers.base import Capabilities, Limits, Provider
from app.providers.cpay import CPayProvider
from app.providers.mpesa import MpesaProvider
from app.providers.paystack import Paystack
from app.providers.pesapal import PesapalProvider
from app.providers.stripe import StripeProvider
from app.services.payments.routing import CostTable, candidates, cost
from tests.support.servers import SECRETS


def _can(adapter: type[Provider], currencies: dict[str, Limits]) -> Capabilities:
    return replace(adapter.capabilities, currencies=MappingProxyType(currencies))


CAPABILITIES = MappingProxyType(
    {
        "mpesa": MpesaProvider.capabilities,
        "paystack": _can(Paystack, {"KES": Limits(100), "NGN": Limits(100_00)}),
        "pesapal": _can(PesapalProvider, {"KES": Limits(100), "USD": Limits()}),
        "stripe": _can(StripeProvider, {"KES": Limits(50_00), "USD": Limits(50)}),
        "cpay": _can(CPayProvider, {"KES": Limits(), "USD": Limits(), "JPY": Limits()}),
    }
)
ALL = tuple(CAPABILITIES)


def choose(
    minor: int,
    currency: str = "KES",
    *,
    country: str | None = "KE",
    available: Sequence[str] = ALL,
    ill: Sequence[str] = (),
    costs: Mapping[str, CostTable] = MappingProxyType({}),
) -> list[str]:
    return candidates(
        amount=Money(minor, currency),
        country=country,
        available=available,
        capabilities=CAPABILITIES,
        health=lambda name: name not in ill,
        costs=costs,
    )


def test_a_kenyan_phone_pays_by_m_pesa_first() -> None:
    assert choose(1000_00) == ["mpesa", "paystack", "pesapal", "stripe"]


def test_a_phone_of_another_country_is_not_asked_through_m_pesa() -> None:
    assert choose(1000_00, country="UG") == ["pesapal", "paystack", "stripe"]
    assert choose(1000_00, country="SE") == ["paystack", "pesapal", "stripe"]


def test_unknown_country_excludes_no_provider() -> None:
    assert choose(1000_00, country=None) == ["mpesa", "paystack", "pesapal", "stripe"]


def test_only_providers_with_the_currency_and_amount() -> None:
    assert choose(1000_00, "USD") == ["pesapal", "stripe"]
    assert choose(250_001_00) == ["paystack", "pesapal", "stripe"]
    assert choose(49_00) == ["mpesa", "paystack", "pesapal"]
    assert choose(1000_50) == ["paystack", "pesapal", "stripe"]
    assert choose(99) == []
    assert choose(1000, "XOF") == []


def test_an_unhealthy_one_is_the_last_resort_not_excluded() -> None:
    assert choose(1000_00, ill=["mpesa"]) == ["paystack", "pesapal", "stripe", "mpesa"]
    assert choose(1000_00, ill=ALL) == ["mpesa", "paystack", "pesapal", "stripe"]


def test_the_mock_is_chosen_only_where_there_is_no_other() -> None:
    assert choose(1000, "JPY") == []
    assert choose(1000, "JPY", available=["cpay"]) == ["cpay"]
    assert choose(1000_00, available=["cpay", "stripe"], ill=["stripe"]) == ["stripe"]
    assert choose(1000_00, available=[]) == []


def test_costs_decide_between_equals_and_can_be_replaced() -> None:
    assert choose(1000_00, available=["pesapal", "paystack"]) == ["paystack", "pesapal"]
    cheap = {"pesapal": {"KES": (1_000, 0)}}
    assert choose(1000_00, available=["pesapal", "paystack"], costs=cheap) == ["pesapal", "paystack"]
    # A fixed part weighs more on a small amount.
    costs = {"pesapal": {"*": (0, 50_00)}, "paystack": {"KES": (100_000, 0)}}
    assert choose(100_00, available=["pesapal", "paystack"], costs=costs) == ["paystack", "pesapal"]
    assert choose(10_000_00, available=["pesapal", "paystack"], costs=costs) == ["pesapal", "paystack"]


def test_equal_costs_keep_the_given_order_and_unknown_ones_come_last() -> None:
    same = {"pesapal": {"*": (1, 0)}, "paystack": {"*": (1, 0)}}
    for order in (["pesapal", "paystack"], ["paystack", "pesapal"]):
        assert choose(1000_00, available=order, costs=same) == order
    assert cost(Money(100, "KES"), {}, {"USD": (1, 0)}) == float("inf")


def test_paystack_s_costs_are_its_price_list() -> None:
    table = Paystack.capabilities.costs
    assert cost(Money(10_000_00, "NGN"), table) == 250_00  # 1.5 % + NGN 100
    assert cost(Money(1000_00, "ZAR"), table) == 30_00  # 2.9 % + ZAR 1


def _settings(costs: str) -> dict[str, str]:
    return {**SECRETS, "GATEWAY_ENV": "demo", "DATABASE_URL": "postgresql://x", "ROUTING_COSTS": costs}


def test_the_setting_is_read_into_the_table() -> None:
    assert load(_settings(""))["ROUTING_COSTS"] == {}
    read = load(_settings('{"pesapal": {"kes": [1000, 5], "*": [2000, 0]}}'))["ROUTING_COSTS"]
    assert read == {"pesapal": {"KES": (1000, 5), "*": (2000, 0)}}
    assert cost(Money(1000, "KES"), read["pesapal"]) == 6


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        '{"a": 5}',
        '{"a": {"KES": 5}}',
        '{"a": {"KES": [1]}}',
        '{"a": {"KES": [1, -1]}}',
        '{"a": {"KES": [1.5, 0]}}',
        '{"a": {"KES": [true, 0]}}',
        '{"a": {"KES": ["1", 0]}}',
    ],
)
def test_a_setting_that_cannot_be_read_stops_the_start(text: str) -> None:
    with pytest.raises(ConfigError, match="ROUTING_COSTS"):
        load(_settings(text))
