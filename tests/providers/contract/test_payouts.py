"""Payouts: to every destination the capabilities declare, once for each reference, and to no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.money import EXPONENTS
from app.providers.base import Kind, PayoutMethod, PayoutRequest, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    NotSupported,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)
from tests.providers.contract.case import every
from tests.providers.contract.scenario import ContractScenario
from tests.support.providers import MemoryTokens

DECLARED = [
    pytest.param(case.id, method, currency, id=f"{case.id}-{method.value}-{currency}")
    for case in every()
    for method, currency in case.destinations
]


def test_the_destinations_of_the_case_are_those_declared(scenario: ContractScenario) -> None:
    declared = {(method, code) for method, codes in scenario.can.payouts.items() for code in codes}
    assert set(scenario.case.destinations) == declared


@pytest.mark.parametrize(("case_id", "method", "currency"), DECLARED)
def test_a_payout(
    scenarios: dict[str, ContractScenario], case_id: str, method: PayoutMethod, currency: str
) -> None:
    scenario = scenarios[case_id]
    request = scenario.payout(method, currency)
    result = scenario.checked(scenario.provider.pay_out(request))
    assert result.state in (State.PENDING, State.SUCCEEDED)
    assert result.amount in (None, request.amount)
    done = scenario.payout_ends(request, result)
    assert (done.state, done.amount) == (State.SUCCEEDED, request.amount)
    scenario.must_have_paid_out(request, request.amount)


@pytest.mark.parametrize(("case_id", "method", "currency"), DECLARED)
def test_the_same_reference_pays_once(
    scenarios: dict[str, ContractScenario], case_id: str, method: PayoutMethod, currency: str
) -> None:
    scenario = scenarios[case_id]
    if method in scenario.case.unkeyed_payouts:
        pytest.skip(
            "not this provider's: the provider takes no reference here: the gateway never sends such a payout again"
        )
    request = scenario.payout(method, currency)
    scenario.checked(scenario.provider.pay_out(request))
    scenario.repeat(lambda: scenario.provider.pay_out(request))
    scenario.payout_ends(request, None)
    scenario.repeat(lambda: scenario.provider.pay_out(request))
    scenario.must_have_paid_out(request, request.amount)


@pytest.mark.parametrize(("case_id", "method", "currency"), DECLARED)
@pytest.mark.parametrize("fault", ["drop", "before"])
def test_a_payout_whose_answer_was_lost(
    scenarios: dict[str, ContractScenario], case_id: str, method: PayoutMethod, currency: str, fault: str
) -> None:
    scenario = scenarios[case_id]
    request = scenario.payout(method, currency)
    word = "b2b" if method in scenario.case.unkeyed_payouts else scenario.case.operations["pay_out"]
    rule = {"provider": scenario.case.name, "operation": word, "fault": fault, "times": 1}
    scenario.environment.sandbox.control({"rules": [rule]})
    with scenario.refused(OutcomeUnknown):
        scenario.provider.pay_out(request)
    _asked(scenario, request, is_done=fault == "drop")
    scenario.must_have_paid_out(request, *[request.amount] * (fault == "drop"))
    scenario.environment.sandbox.forget_rules()


def _asked(scenario: ContractScenario, request: PayoutRequest, *, is_done: bool) -> None:
    """By our reference alone: the truth, or that it is not known; never the opposite."""
    try:
        found = scenario.checked(scenario.provider.inquire_payout(scenario.payout_reference(request)))
    except OutcomeUnknown:
        return
    if Kind.PAYOUT in scenario.can.inquiry_kinds:
        assert found.state in ((State.PENDING, State.SUCCEEDED) if is_done else (State.NOT_FOUND,))
    else:
        assert found.state is State.PENDING, "the answer comes by callback"
    if is_done:
        assert scenario.payout_ends(request, None).state is State.SUCCEEDED


def test_where_nothing_is_declared_nothing_is_paid_out(scenario: ContractScenario) -> None:
    declared = {(method, code) for method, codes in scenario.can.payouts.items() for code in codes}
    anywhere = {
        "phone_number": "254712345678",
        "till_number": "247247",
        "account_number": "0001234567",
        "bank_code": "058",
        "account_name": "Ada Obi",
    }
    pairs = [(method, code) for method in PayoutMethod for code in sorted(EXPONENTS)]
    for method, code in pairs:
        if (method, code) in declared:
            continue
        request = PayoutRequest(
            "0198c0de-0000-7000-8000-000000000009", scenario.amount("2000", code), method, anywhere
        )
        with scenario.refused(NotSupported if method not in scenario.can.payouts else RequestRejected):
            scenario.provider.pay_out(request)
    if not scenario.can.payouts:
        with scenario.refused(NotSupported):
            scenario.provider.inquire_payout(scenario.payout_reference(request))


def test_a_destination_that_lacks_something_is_refused_before_anything_is_sent(
    remote: ContractScenario,
) -> None:
    for method, currency in remote.case.destinations:
        request = remote.payout(method, currency)
        for name in request.destination:
            if name == "account_name" and remote.case.name == "paystack":
                continue  # wallets have none, and a bank account's is looked up
            less = {key: value for key, value in request.destination.items() if key != name}
            seen = len(remote.environment.fault_proxy.seen)
            with remote.refused(RequestRejected):
                remote.provider.pay_out(replace(request, destination=less))
            assert len(remote.environment.fault_proxy.seen) == seen


def test_a_payout_that_is_refused_moves_nothing(remote: ContractScenario) -> None:
    if not remote.can.payouts:
        pytest.skip("not this provider's: the provider pays nothing out")
    request = remote.payout(*next(iter(remote.case.destinations)))
    remote.fault("pay_out", "rate_limit")
    with remote.refused(RateLimited):
        remote.provider.pay_out(request)
    with remote.refused(AuthFailed):
        remote.make(tokens=MemoryTokens(), **remote.case.wrong_settings).pay_out(request)
    remote.must_have_paid_out(request)
    remote.fault("pay_out", "insufficient_funds")
    try:
        result = remote.checked(remote.provider.pay_out(request))
    except Declined as error:
        remote.must_be_clean(error.response)
    else:
        assert remote.payout_ends(request, result).state is State.FAILED
    remote.must_have_paid_out(request)


def test_refused_inquiry_is_not_a_refused_payout(remote: ContractScenario) -> None:
    if "inquire_payout" not in remote.case.operations:
        pytest.skip("not this provider's: the provider pays nothing out")
    request = remote.payout(*next(iter(remote.case.destinations)))
    result = remote.checked(remote.provider.pay_out(request))
    for fault in ("drop", "before", "after", "rate_limit", "token_expired"):
        remote.fault("inquire_payout", fault)
        try:
            found = remote.provider.inquire_payout(remote.payout_reference(request, result))
        except ProviderError as error:
            assert not isinstance(error, Declined | RequestRejected | DuplicateReference), fault
        else:
            assert found.state in (State.PENDING, State.SUCCEEDED), fault
    remote.payout_ends(request, result)
