"""Charges: paid, pending, declined, not accepted, refused credentials, rate limited, cancelled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from app import clock
from app.errors import InvalidAmount
from app.money import EXPONENTS, Money
from app.providers.base import Customer, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    NotSupported,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
)
from tests.providers.contract.scenario import ContractScenario
from tests.support.providers import MemoryTokens


def test_a_customer_pays(scenario: ContractScenario) -> None:
    request = scenario.request()
    scenario.provider.check(request.amount, request.customer)
    result = scenario.charge(request)
    assert result.state in (State.PENDING, State.SUCCEEDED)
    done = scenario.becomes(scenario.charge_reference(request, result), State.SUCCEEDED)
    assert done.amount in (None, request.amount)
    scenario.must_have_charged(request, request.amount)
    assert scenario.observed.last.operation == "inquire"
    assert scenario.observed.last.outcome == "succeeded"


def test_the_finished_payment_has_a_receipt(scenario: ContractScenario) -> None:
    assert scenario.paid().receipt


def test_a_payment_page_is_shown_where_there_is_one(scenario: ContractScenario) -> None:
    request = scenario.charge_that("timed_out")
    result = scenario.charge(request)
    if scenario.can.has_payment_page and scenario.case.shows_page:
        assert result.payment_url
        assert requests.get(result.payment_url, timeout=30).status_code == 200
    else:
        assert result.payment_url is None


def test_charge_is_pending_while_the_customer_does_not_answer(scenario: ContractScenario) -> None:
    request, charge = scenario.waiting()
    assert scenario.inquire(charge).state is State.PENDING
    scenario.must_have_charged(request)


def test_unsent_reference_is_not_found_or_unknown(scenario: ContractScenario) -> None:
    if scenario.case.remembers:
        never = scenario.charge_reference(scenario.request())
        if scenario.can.can_inquire_by_reference:
            assert scenario.inquire(never).state is State.NOT_FOUND
        else:
            with scenario.refused(OutcomeUnknown):
                scenario.inquire(never)


@pytest.mark.parametrize("fault", ["insufficient_funds", "declined"])
def test_decline_is_a_definite_failure(scenario: ContractScenario, fault: str) -> None:
    request = scenario.charge_that(fault)
    try:
        result = scenario.charge(request)
    except Declined as error:
        assert error.code
        scenario.must_be_clean(error.response)
    else:
        scenario.quiet()
        ends = (State.PENDING,) if scenario.case.may_try_again else (State.FAILED, State.CANCELLED)
        found = scenario.becomes(scenario.charge_reference(request, result), *ends)
        assert found.state is not State.SUCCEEDED
        assert scenario.case.may_try_again or found.code
    scenario.must_have_charged(request)


def test_unacceptable_charge_is_a_definite_failure(scenario: ContractScenario) -> None:
    request = scenario.case.refused(scenario.request())
    with scenario.refused(RequestRejected):
        scenario.charge(request, scenario.make(tokens=MemoryTokens(), **scenario.case.refused_settings))
    scenario.must_have_charged(request)


def test_check_knows_currencies_limits_and_needs(scenario: ContractScenario) -> None:
    amount, customer = scenario.amount(), scenario.case.customer
    for code in sorted(set(EXPONENTS) - set(scenario.can.currencies))[:3]:
        with scenario.refused(RequestRejected):
            scenario.provider.check(Money(100_000, code), customer)
    for code, limits in scenario.can.currencies.items():
        beyond = [limits.minimum - 1] + ([limits.maximum + 1] if limits.maximum else [])
        for minor in beyond:
            with pytest.raises(InvalidAmount):
                scenario.provider.check(Money(minor, code), customer)
    for need in scenario.can.needs:
        with scenario.refused(RequestRejected):
            scenario.provider.check(amount, replace(customer, **{need: None}))
    if scenario.can.whole_units:
        with pytest.raises(InvalidAmount):
            scenario.provider.check(amount + Money(50, amount.currency), customer)
    assert scenario.can.needs <= {"phone", "email"}
    assert Customer(), "a customer may be without anything else"


def test_wrong_credentials_raise_auth_failed(scenario: ContractScenario) -> None:
    if not scenario.case.is_remote:
        with scenario.refused(AuthFailed):
            scenario.charge(scenario.charge_that("wrong_credentials"))
        return
    unauthorized = scenario.make(tokens=MemoryTokens(), **scenario.case.wrong_settings)
    request = scenario.request()
    with scenario.refused(AuthFailed):
        scenario.charge(request, unauthorized)
    with scenario.refused(AuthFailed):
        scenario.inquire(scenario.paid_once, unauthorized)
    scenario.must_have_charged(request)


@pytest.mark.parametrize("operation", ["charge", "inquire"])
def test_a_token_that_expires_midway_is_replaced_once(remote: ContractScenario, operation: str) -> None:
    """Where there are no tokens it is the key that was refused: a definite no."""
    paid = remote.paid_once
    remote.inquire(paid)  # the token at hand is a good one
    request = remote.request()
    before = remote.tokens.fetched
    remote.fault(operation, "token_expired")
    if not remote.case.has_tokens:
        with remote.refused(AuthFailed):
            remote.charge(request) if operation == "charge" else remote.inquire(paid)
        return
    result = remote.charge(request) if operation == "charge" else remote.inquire(paid)
    assert result.state in (State.PENDING, State.SUCCEEDED)
    assert remote.tokens.fetched == before + 1
    if operation == "charge":
        remote.must_have_charged(request, request.amount)


def test_a_token_that_is_always_refused_ends_with_auth_failed(remote: ContractScenario) -> None:
    if remote.case.has_tokens:
        request = remote.request()
        remote.fault("charge", "token_expired", times=5)
        with remote.refused(AuthFailed):
            remote.charge(request)
        remote.must_have_charged(request)


def test_rate_limited_charge_is_not_made_and_can_be_resent(
    scenario: ContractScenario,
) -> None:
    request = scenario.charge_that("rate_limit")
    with scenario.refused(RateLimited) as caught:
        scenario.charge(request)
    assert caught[0].retry_after_s is None or caught[0].retry_after_s > 0
    scenario.must_have_charged(request)
    if scenario.case.is_remote:
        scenario.charge(request)
        scenario.must_have_charged(request, request.amount)


def test_rate_limited_inquiry_leaves_the_outcome_unknown(remote: ContractScenario) -> None:
    paid = remote.paid_once
    remote.fault("inquire", "rate_limit")
    with remote.refused(RateLimited):
        remote.inquire(paid)


def test_open_charge_is_cancelled_where_supported(scenario: ContractScenario) -> None:
    request, charge = scenario.waiting()
    if not scenario.can.can_cancel:
        with scenario.refused(NotSupported):
            scenario.provider.cancel(charge)
        return
    assert scenario.checked(scenario.provider.cancel(charge)).state is State.CANCELLED
    after = scenario.provider.cancel(charge)
    assert after.state is not State.SUCCEEDED
    scenario.must_have_charged(request)


def test_paid_charge_is_not_cancelled(scenario: ContractScenario) -> None:
    if scenario.can.can_cancel:
        paid = scenario.paid()
        assert scenario.checked(scenario.provider.cancel(paid)).state is State.SUCCEEDED
        assert scenario.inquire(paid).state is State.SUCCEEDED


def test_the_statement_lists_what_was_collected(scenario: ContractScenario) -> None:
    start, end = clock.now() - timedelta(hours=1), clock.now() + timedelta(hours=3)
    if not scenario.can.has_statement:
        with scenario.refused(NotSupported):
            scenario.provider.statement(start, end)
        return
    paid = scenario.paid()
    (line,) = [
        line
        for line in scenario.provider.statement(start, end)
        if line.short_reference == paid.short_reference
    ]
    assert (line.receipt, line.amount) == (paid.receipt, paid.amount)
    assert start <= line.at <= end
