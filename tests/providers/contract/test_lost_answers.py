"""Answers that are lost: what is unknown is called unknown, the truth is found, and nothing is charged twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.providers.base import ChargeReference, ChargeRequest, Kind, ProviderResult, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    NotSent,
    OutcomeUnknown,
    RequestRejected,
)
from tests.providers.contract.fault_proxy import hung_up, instead
from tests.providers.contract.operations import OPERATIONS, prepare, run, supports
from tests.providers.contract.scenario import UNREACHABLE, ContractScenario
from tests.support.providers import MemoryTokens

DONE = [("drop", {}), ("after", {"status": 500}), ("after", {"status": 503})]


def recognized(scenario: ContractScenario, request: ChargeRequest) -> ChargeReference:
    """The charge, as an inquiry or a callback names it after its answer was lost."""
    lost = scenario.charge_reference(request)
    if scenario.can.can_inquire_by_reference:
        return lost
    with scenario.refused(OutcomeUnknown):
        scenario.inquire(lost)
    event = scenario.event(request.callback_url, Kind.PAYMENT, request.reference)
    assert event.provider_reference
    return replace(lost, provider_reference=event.provider_reference)


@pytest.mark.parametrize(("fault", "more"), DONE)
def test_charge_made_with_a_lost_answer(scenario: ContractScenario, fault: str, more: dict[str, int]) -> None:
    request = scenario.charge_that(fault, **more)
    with scenario.refused(OutcomeUnknown):
        scenario.charge(request)
    found = scenario.becomes(recognized(scenario, request), State.SUCCEEDED)
    assert found.amount in (None, request.amount)
    scenario.must_have_charged(request, request.amount)


@pytest.mark.parametrize("status", [500, 503])
def test_charge_not_made_with_a_lost_answer(scenario: ContractScenario, status: int) -> None:
    request = scenario.charge_that("before", status=status)
    with scenario.refused(OutcomeUnknown):
        scenario.charge(request)
    lost = scenario.charge_reference(request)
    if scenario.can.can_inquire_by_reference:
        assert scenario.inquire(lost).state is State.NOT_FOUND
    else:
        with scenario.refused(OutcomeUnknown):
            scenario.inquire(lost)
    scenario.must_have_charged(request)


def test_charge_made_with_a_late_answer(remote: ContractScenario) -> None:
    remote.paid_once  # noqa: B018 a token is there, so that the push itself is what takes long
    request = remote.charge_that("delay", seconds=1)
    with remote.refused(OutcomeUnknown):
        remote.charge(request, remote.make(timeout_s=0.3))
    # The simulator's view goes on after the caller has left.
    remote.becomes(recognized_in_time(remote, request), State.SUCCEEDED)
    remote.must_have_charged(request, request.amount)


def recognized_in_time(scenario: ContractScenario, request: ChargeRequest) -> ChargeReference:
    if not scenario.can.can_inquire_by_reference:
        return recognized(scenario, request)
    lost = scenario.charge_reference(request)
    scenario.becomes(lost, State.PENDING, State.SUCCEEDED)
    return lost


@pytest.mark.parametrize("fault", ["none", "drop", "before"])
def test_the_same_reference_charges_once(scenario: ContractScenario, fault: str) -> None:
    """After an answer, after a lost one, and after a request that came to nothing."""
    if not scenario.can.is_resend_safe:
        pytest.skip(
            "not this provider's: the provider documents no idempotency, so nothing is ever sent again"
        )
    request = scenario.request() if fault == "none" else scenario.charge_that(fault)
    first: ProviderResult | None = None
    if fault == "none":
        first = scenario.charge(request)
    else:
        with scenario.refused(OutcomeUnknown):
            scenario.charge(request)
    if not scenario.case.is_remote:
        if first:
            assert scenario.charge(request) == first
        return
    again = scenario.repeat(lambda: scenario.provider.charge(request))
    if first and again:
        assert again.provider_reference == first.provider_reference
    scenario.becomes(scenario.charge_reference(request, again), State.SUCCEEDED)
    scenario.repeat(lambda: scenario.provider.charge(request))
    scenario.must_have_charged(request, request.amount)


def test_a_known_reference_for_another_amount_is_never_a_second_charge(remote: ContractScenario) -> None:
    if remote.can.is_resend_safe:
        request = remote.request()
        result = remote.charge(request)
        other = replace(request, amount=request.amount + request.amount)
        again = remote.repeat(lambda: remote.provider.charge(other))
        assert again is None or again.provider_reference == result.provider_reference
        remote.becomes(remote.charge_reference(request, result), State.SUCCEEDED)
        remote.must_have_charged(request, request.amount)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_refused_connection_means_not_sent(remote: ContractScenario, operation: str) -> None:
    if not supports(remote, operation):
        pytest.skip("not this provider's: the provider has no such operation")
    away = remote.make(base_url=UNREACHABLE, timeout_s=1, connect_timeout_s=1)
    with remote.refused(NotSent):
        run(remote, operation, away)


def test_cpay_simulated_outages(scenario: ContractScenario) -> None:
    if not scenario.case.is_remote:
        for fault, error in (("unreachable", NotSent), ("wrong_credentials", AuthFailed)):
            request = scenario.charge_that(fault)
            with scenario.refused(error):
                scenario.charge(request)
            scenario.must_have_charged(request)


@pytest.mark.parametrize(
    "fault", [instead(500, b"{}"), instead(200, b"<html>"), instead(200, b'{"token": null}'), hung_up]
)
def test_no_token_means_that_nothing_was_sent(remote: ContractScenario, fault) -> None:
    if "token" not in remote.case.paths:
        pytest.skip("not this provider's: the provider has no tokens")
    remote.environment.fault_proxy.inject(remote.case.paths["token"], fault)
    request = remote.request()
    with remote.refused(NotSent):
        remote.charge(request, remote.make(tokens=MemoryTokens()))
    assert remote.environment.fault_proxy.count(remote.case.paths["charge"]) == 0
    remote.must_have_charged(request)


@pytest.mark.parametrize("fault", [hung_up, instead(500, b"{}"), instead(503, b"busy")])
def test_lost_answer_to_an_inquiry_leaves_the_outcome_unknown(remote: ContractScenario, fault) -> None:
    paid = remote.paid_once
    remote.environment.fault_proxy.inject(remote.case.paths["inquire"], fault)
    with remote.refused(OutcomeUnknown):
        remote.inquire(paid)


@pytest.mark.parametrize("operation", ["inquire", "inquire_refund", "inquire_payout", "statement"])
def test_refused_inquiry_is_not_a_refused_charge(remote: ContractScenario, operation: str) -> None:
    """A refused inquiry is never a failure of what was asked after, nor its absence."""
    if not supports(remote, operation):
        pytest.skip("not this provider's: the provider has no such operation")
    prepare(remote, operation)
    status, body = remote.case.refusal
    remote.environment.fault_proxy.inject(
        remote.case.paths[operation], instead(status, json.dumps(body).encode())
    )
    with remote.refused(OutcomeUnknown):
        run(remote, operation, remote.provider)


@pytest.mark.parametrize("operation", ["charge", "refund", "pay_out"])
def test_refusal_in_the_providers_format_is_a_definite_failure(
    remote: ContractScenario, operation: str
) -> None:
    if not supports(remote, operation):
        pytest.skip("not this provider's: the provider has no such operation")
    prepare(remote, operation)
    status, body = remote.case.refusal
    remote.environment.fault_proxy.inject(
        remote.case.paths[operation], instead(status, json.dumps(body).encode())
    )
    with remote.refused(RequestRejected, Declined):
        run(remote, operation, remote.provider)
