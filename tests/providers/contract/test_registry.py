"""The registry: what every provider must come with, and that no capability goes unexercised."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from app.http import payment_fields
from app.providers import PROVIDERS
from app.providers.base import Capabilities, Provider
from tests.providers.contract.case import found
from tests.providers.contract.environment import ContractEnvironment
from tests.providers.contract.operations import OPERATIONS

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

EXERCISED = {
    "currencies": "test_amounts.py::test_recorded_amount_is_the_requested_amount",
    "needs": "test_charges.py::test_check_knows_currencies_limits_and_needs",
    "countries": "test_registry.py::test_provider_declares_its_name",
    "whole_units": "test_charges.py::test_check_knows_currencies_limits_and_needs",
    "has_payment_page": "test_charges.py::test_a_payment_page_is_shown_where_there_is_one",
    "inquiry_kinds": "test_refunds.py::test_full_refund",
    "is_resend_safe": "test_lost_answers.py::test_the_same_reference_charges_once",
    "can_inquire_by_reference": "test_lost_answers.py::test_charge_made_with_a_lost_answer",
    "can_refund": "test_refunds.py::test_full_refund",
    "can_refund_partially": "test_refunds.py::test_partial_refund_succeeds_or_is_refused_before_sending",
    "can_refund_repeatedly": "test_refunds.py::test_second_partial_refund_succeeds_or_is_refused",
    "can_cancel": "test_charges.py::test_open_charge_is_cancelled_where_supported",
    "payouts": "test_payouts.py::test_a_payout",
    "signs_callbacks": "test_callbacks.py::test_a_forged_callback_is_refused",
    "has_statement": "test_charges.py::test_the_statement_lists_what_was_collected",
    "expires_after": "test_registry.py::test_provider_declares_its_name",
    "horizon": "test_registry.py::test_provider_declares_its_name",
    "statement_reach": "test_registry.py::test_provider_declares_its_name",
    "costs": "test_registry.py::test_provider_declares_its_name",
    "moves_real_money": "test_registry.py::test_provider_declares_its_name",
    "lists_refunds": "test_refunds.py::test_refunds_are_listed_payment_by_payment_with_our_reference",
}
"""Capability → the test that would notice if it were wrong."""

each = pytest.mark.parametrize("name", sorted(PROVIDERS))


@each
def test_every_provider_has_a_case(name: str) -> None:
    assert found().get(name), f"write tests/providers/contract/cases/{name}.py (docs/adding-a-provider.md)"
    for case in found()[name]:
        assert case.provider is PROVIDERS[name]
        unknown = (set(case.paths) | set(case.operations)) - {*OPERATIONS, "token"}
        assert not unknown, unknown


@each
def test_provider_declares_its_name(name: str) -> None:
    provider = PROVIDERS[name]
    can = provider.capabilities
    assert issubclass(provider, Provider)
    assert (provider.name, re.fullmatch(r"[a-z][a-z0-9]{1,19}", name) is not None) == (name, True)
    assert provider.__module__.startswith(f"app.providers.{name}"), "one folder, of the provider's name"
    assert provider.title.strip()
    assert set(provider.base_urls) == {"live", "sandbox"}
    for url in provider.base_urls.values():
        assert url == "in-process" or (url.startswith("https://") and not url.endswith("/"))
    assert all(re.fullmatch(r"[A-Z]{2}", country) for country in can.countries)
    assert can.currencies
    assert can.moves_real_money is not (set(provider.base_urls.values()) == {"in-process"})
    assert all(rate <= 100_000 and fixed >= 0 for rate, fixed in can.costs.values()), "parts per million"
    assert all(header == header.lower() for header in provider.callback_headers)
    assert provider.callback_headers or not can.signs_callbacks
    assert timedelta(minutes=1) <= can.expires_after <= timedelta(days=7)
    assert timedelta(minutes=5) <= can.horizon <= timedelta(days=7)
    assert (can.statement_reach > timedelta(0)) or not can.has_statement
    assert can.can_refund or not (can.can_refund_partially or can.can_refund_repeatedly)


@each
def test_settings_are_named_once_and_secrets_are_marked(name: str) -> None:
    settings = PROVIDERS[name].settings
    names = [one.name for one in settings]
    assert len(set(names)) == len(names)
    assert any(one.is_required for one in settings), (
        "without a required setting an operator cannot switch the provider off"
    )
    for one in settings:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", one.name)
        assert one.about
        assert not (one.is_secret and one.default), f"{one.name}: a secret has no default"
        assert one.parse(one.default) == one.default if one.default else True
        assert one.parse(one.demo) == one.demo if one.demo else True
        if re.search(r"secret|passkey|password|api_key|credential", one.name):
            assert one.is_secret, f"{one.name} is a secret"


@each
def test_a_provider_has_a_page_and_a_simulator(name: str, environment: ContractEnvironment) -> None:
    page = (ROOT / f"docs/providers/{name}.md").read_text()
    for one in PROVIDERS[name].settings:
        assert f"{name}_{one.name}".upper() in page or f"`{one.name}`" in page, (
            f"{one.name} is not on its page"
        )
    if any(case.is_remote for case in found()[name]):
        answer = requests.get(f"{environment.sandbox.url}/sandbox/book/{name}", timeout=30)
        assert answer.status_code == 200
        assert f"/{name}" in requests.get(f"{environment.sandbox.url}/sandbox/", timeout=30).text


def test_every_provider_can_be_requested() -> None:
    assert set(PROVIDERS) <= set(payment_fields.PROVIDER_CHOICES)


def test_no_capability_has_a_default() -> None:
    """A forgotten one would decide about money: what is never found would count as failed, for example."""
    assert all(one.default is MISSING and one.default_factory is MISSING for one in fields(Capabilities))


def test_every_capability_is_exercised() -> None:
    assert set(EXERCISED) == {one.name for one in fields(Capabilities)}
    for capability, test_id in EXERCISED.items():
        file, _, test = test_id.partition("::")
        assert f"def {test}(" in (HERE / file).read_text(), capability
