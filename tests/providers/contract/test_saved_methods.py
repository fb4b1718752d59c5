"""Saved methods: what a customer paid with is charged again without the customer, once, and by the rules of every charge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import pytest

from app.money import Money
from app.providers.base import ChargeReference, ChargeRequest, ProviderResult, State
from app.providers.errors import Declined, OutcomeUnknown, RequestRejected
from tests.providers.contract.fault_proxy import cut
from tests.providers.contract.scenario import ContractScenario

CHARGED_BY: Final = {
    "paystack": "initialize",
    "stripe": "payment_intent",
    "stripe-confirmed": "payment_intent",
}
"""Case → the simulator's word for the charge of a saved method."""

Saved = Mapping[str, str]


@dataclass(frozen=True)
class SavedMethodScenario:
    """A case and a method that its customer has paid with."""

    scenario: ContractScenario
    details: Saved

    def request(self, amount: Money | None = None, **differing: str) -> ChargeRequest:
        details = {**self.details, **differing}
        request = self.scenario.request(amount)
        customer = self.scenario.provider.payer(request.customer, details)
        return replace(request, saved_details=details, customer=customer)

    def reference(self, request: ChargeRequest, reported: ProviderResult | None = None) -> ChargeReference:
        is_unattended = reported is None or reported.payment_url is None
        return replace(self.scenario.charge_reference(request, reported), is_unattended=is_unattended)

    def fault(self, fault: str, **more: object) -> None:
        word = CHARGED_BY[self.scenario.case.id]
        rule = {"provider": self.scenario.case.name, "operation": word, "fault": fault, "times": 1, **more}
        self.scenario.environment.sandbox.control({"rules": [rule]})


def _paid(scenario: ContractScenario, *, is_kept: bool) -> ChargeReference:
    request = replace(scenario.request(), is_method_kept=is_kept)
    reported = scenario.charge(request)
    done = scenario.becomes(scenario.charge_reference(request, reported), State.SUCCEEDED)
    return scenario.charge_reference(request, replace(reported, receipt=done.receipt))


@pytest.fixture(scope="module")
def kept(scenarios: dict[str, ContractScenario]) -> dict[str, Saved]:
    """Case → the details of a method that was paid with once."""
    found = {}
    for name in CHARGED_BY:
        scenario = scenarios[name]
        paid = _paid(scenario, is_kept=True)
        details = scenario.provider.method_paid_with(paid, scenario.case.customer)
        assert details is not None
        found[name] = details
    return found


@pytest.fixture(params=CHARGED_BY)
def saved(request: pytest.FixtureRequest, scenarios: dict[str, ContractScenario], kept: dict[str, Saved]):
    scenario = scenarios[request.param]
    yield SavedMethodScenario(scenario, kept[request.param])
    scenario.environment.sandbox.forget_rules()
    scenario.environment.fault_proxy.forget()


def test_what_was_paid_with_is_charged_again_without_the_customer(saved: SavedMethodScenario) -> None:
    scenario = saved.scenario
    assert scenario.provider.read_method(saved.details) == saved.details
    for _ in range(2):
        request = saved.request()
        result = scenario.charge(request)
        assert result.state is State.SUCCEEDED and result.payment_url is None
        assert result.amount == request.amount and result.receipt
        assert scenario.inquire(saved.reference(request, result)).state is State.SUCCEEDED
        scenario.must_have_charged(request, request.amount)


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_declined_method_ends_the_charge(saved: SavedMethodScenario, is_lost: bool) -> None:
    """Nobody is on a page, so a failed try is not followed by another: also where the answer was lost."""
    scenario = saved.scenario
    saved.fault("insufficient_funds")
    request = saved.request()
    if is_lost:
        scenario.environment.fault_proxy.inject(r"POST .*/(charge_authorization|payment_intents)$", cut)
        with scenario.refused(OutcomeUnknown):
            scenario.charge(request)
        result = scenario.inquire(saved.reference(request))
    else:
        try:
            result = scenario.charge(request)
        except Declined as error:
            result = ProviderResult(State.FAILED, code=error.code, message=error.message)
    assert result.state is State.FAILED
    assert result.code and not result.has_failed_try
    scenario.must_have_charged(request)


@pytest.mark.parametrize("fault", [("drop", {}), ("after", {"status": 500})])
def test_a_lost_answer_is_found_by_our_reference(saved: SavedMethodScenario, fault) -> None:
    scenario, (word, more) = saved.scenario, fault
    saved.fault(word, **more)
    request = saved.request()
    with scenario.refused(OutcomeUnknown):
        scenario.charge(request)
    assert scenario.inquire(saved.reference(request)).state is State.SUCCEEDED
    scenario.must_have_charged(request, request.amount)


@pytest.mark.parametrize("fault", ["none", "drop", "before"])
def test_the_same_reference_charges_a_saved_method_once(saved: SavedMethodScenario, fault: str) -> None:
    scenario, request = saved.scenario, saved.request()
    if fault == "none":
        scenario.charge(request)
    else:
        saved.fault(fault, **({"status": 500} if fault == "before" else {}))
        with scenario.refused(OutcomeUnknown):
            scenario.charge(request)
    scenario.repeat(lambda: scenario.provider.charge(request))
    scenario.repeat(lambda: scenario.provider.charge(request))
    assert scenario.inquire(saved.reference(request)).state is State.SUCCEEDED
    scenario.must_have_charged(request, request.amount)


def test_an_unknown_method_is_refused_and_charges_nothing(saved: SavedMethodScenario) -> None:
    scenario = saved.scenario
    (name,) = type(scenario.provider).saved_method.required
    request = saved.request(**{name: "AUTH_unknown"})
    with scenario.refused(RequestRejected):
        scenario.charge(request)
    scenario.must_have_charged(request)


def test_a_bank_that_asks_for_the_holder(saved: SavedMethodScenario) -> None:
    """Where the provider has a page for it the holder is sent there; else the charge fails with the reason."""
    scenario = saved.scenario
    if scenario.case.name == "paystack":
        request = saved.request(scenario.amount("7125"))
        result = scenario.charge(request)
        assert result.state is State.PENDING and result.payment_url
        scenario.becomes(saved.reference(request, result), State.SUCCEEDED)
        scenario.must_have_charged(request, request.amount)
    else:
        saved.fault("cancelled")  # the simulator's card whose bank asks for its holder
        request = saved.request()
        with scenario.refused(Declined) as refusals:
            scenario.charge(request)
        assert refusals[0].code == "authentication_required"
        scenario.must_have_charged(request)


def test_paystack_charges_a_card_with_the_address_it_was_saved_with(
    scenarios: dict[str, ContractScenario], kept: dict[str, Saved]
) -> None:
    scenario = scenarios["paystack"]
    saved = SavedMethodScenario(scenario, kept["paystack"])
    request = saved.request(email="another@example.com")
    with scenario.refused(RequestRejected):
        scenario.charge(request)
    scenario.must_have_charged(request)


def test_a_card_that_stripe_does_not_keep_is_not_saved(scenarios: dict[str, ContractScenario]) -> None:
    scenario = scenarios["stripe"]
    paid = _paid(scenario, is_kept=False)
    assert scenario.provider.method_paid_with(paid, scenario.case.customer) is None


def test_what_an_mpesa_and_a_pesapal_customer_paid_with(scenarios: dict[str, ContractScenario]) -> None:
    phone = scenarios["mpesa"]
    paid = phone.provider.method_paid_with(phone.charge_reference(phone.request()), phone.case.customer)
    assert paid == {"phone_number": phone.case.customer.phone.removeprefix("+")}
    page = scenarios["pesapal"]
    shown = page.provider.method_paid_with(page.paid_once, page.case.customer)
    assert shown is not None and page.provider.read_method(shown) == shown
