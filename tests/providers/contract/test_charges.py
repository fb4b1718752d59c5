"""Charges: paid, waiting, declined, not taken, refused for the credentials, asked too often, taken back."""

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
from tests.providers.contract.scene import Scene
from tests.support.providers import MemoryTokens


def test_a_customer_pays(scene: Scene) -> None:
    request = scene.request()
    scene.provider.check(request.amount, request.customer)
    told = scene.charge(request)
    assert told.state in (State.PENDING, State.SUCCEEDED)
    done = scene.becomes(scene.handle(request, told), State.SUCCEEDED)
    assert done.amount in (None, request.amount)
    scene.must_have_charged(request, request.amount)
    assert scene.observed.last.operation == "inquire"
    assert scene.observed.last.outcome == "succeeded"


def test_the_finished_payment_has_a_receipt(scene: Scene) -> None:
    assert scene.paid().receipt


def test_a_payment_page_is_shown_where_there_is_one(scene: Scene) -> None:
    request = scene.charge_that("timed_out")
    told = scene.charge(request)
    if scene.can.has_payment_page and scene.case.shows_page:
        assert told.payment_url
        assert requests.get(told.payment_url, timeout=30).status_code == 200
    else:
        assert told.payment_url is None


def test_a_customer_who_does_not_answer_is_waited_for(scene: Scene) -> None:
    request, charge = scene.waiting()
    assert scene.inquire(charge).state is State.PENDING
    scene.must_have_charged(request)


def test_a_reference_nobody_sent_is_not_there_or_not_known(scene: Scene) -> None:
    if scene.case.remembers:
        never = scene.handle(scene.request())
        if scene.can.can_inquire_by_reference:
            assert scene.inquire(never).state is State.NOT_FOUND
        else:
            with scene.refused(OutcomeUnknown):
                scene.inquire(never)


@pytest.mark.parametrize("fault", ["insufficient_funds", "declined"])
def test_a_decline_is_a_definite_no(scene: Scene, fault: str) -> None:
    request = scene.charge_that(fault)
    try:
        told = scene.charge(request)
    except Declined as error:
        assert error.code
        scene.must_be_clean(error.response)
    else:
        scene.quiet()
        ends = (State.PENDING,) if scene.case.may_try_again else (State.FAILED, State.CANCELLED)
        found = scene.becomes(scene.handle(request, told), *ends)
        assert found.state is not State.SUCCEEDED
        assert scene.case.may_try_again or found.code
    scene.must_have_charged(request)


def test_what_the_provider_cannot_take_is_a_definite_no(scene: Scene) -> None:
    request = scene.case.refused(scene.request())
    with scene.refused(RequestRejected):
        scene.charge(request, scene.make(tokens=MemoryTokens(), **scene.case.refused_settings))
    scene.must_have_charged(request)


def test_check_knows_currencies_limits_and_needs(scene: Scene) -> None:
    amount, customer = scene.amount(), scene.case.customer
    for code in sorted(set(EXPONENTS) - set(scene.can.currencies))[:3]:
        with scene.refused(RequestRejected):
            scene.provider.check(Money(100_000, code), customer)
    for code, limits in scene.can.currencies.items():
        beyond = [limits.minimum - 1] + ([limits.maximum + 1] if limits.maximum else [])
        for minor in beyond:
            with pytest.raises(InvalidAmount):
                scene.provider.check(Money(minor, code), customer)
    for need in scene.can.needs:
        with scene.refused(RequestRejected):
            scene.provider.check(amount, replace(customer, **{need: None}))
    if scene.can.whole_units:
        with pytest.raises(InvalidAmount):
            scene.provider.check(amount + Money(50, amount.currency), customer)
    assert scene.can.needs <= {"phone", "email"}
    assert Customer(), "a customer may be without anything else"


def test_wrong_credentials_are_for_an_operator(scene: Scene) -> None:
    if not scene.case.is_remote:
        with scene.refused(AuthFailed):
            scene.charge(scene.charge_that("wrong_credentials"))
        return
    stranger = scene.make(tokens=MemoryTokens(), **scene.case.wrong_settings)
    request = scene.request()
    with scene.refused(AuthFailed):
        scene.charge(request, stranger)
    with scene.refused(AuthFailed):
        scene.inquire(scene.paid_once, stranger)
    scene.must_have_charged(request)


@pytest.mark.parametrize("operation", ["charge", "inquire"])
def test_a_token_that_expires_midway_is_replaced_once(remote: Scene, operation: str) -> None:
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
    told = remote.charge(request) if operation == "charge" else remote.inquire(paid)
    assert told.state in (State.PENDING, State.SUCCEEDED)
    assert remote.tokens.fetched == before + 1
    if operation == "charge":
        remote.must_have_charged(request, request.amount)


def test_a_token_that_is_always_refused_ends_with_auth_failed(remote: Scene) -> None:
    if remote.case.has_tokens:
        request = remote.request()
        remote.fault("charge", "token_expired", times=5)
        with remote.refused(AuthFailed):
            remote.charge(request)
        remote.must_have_charged(request)


def test_asked_too_often_nothing_is_done_and_the_same_charge_may_be_sent_again(scene: Scene) -> None:
    request = scene.charge_that("rate_limit")
    with scene.refused(RateLimited) as caught:
        scene.charge(request)
    assert caught[0].retry_after_s is None or caught[0].retry_after_s > 0
    scene.must_have_charged(request)
    if scene.case.is_remote:
        scene.charge(request)
        scene.must_have_charged(request, request.amount)


def test_asking_too_often_says_nothing_about_the_charge(remote: Scene) -> None:
    paid = remote.paid_once
    remote.fault("inquire", "rate_limit")
    with remote.refused(RateLimited):
        remote.inquire(paid)


def test_an_open_charge_is_taken_back_where_that_can_be(scene: Scene) -> None:
    request, charge = scene.waiting()
    if not scene.can.can_cancel:
        with scene.refused(NotSupported):
            scene.provider.cancel(charge)
        return
    assert scene.checked(scene.provider.cancel(charge)).state is State.CANCELLED
    after = scene.provider.cancel(charge)
    assert after.state is not State.SUCCEEDED
    scene.must_have_charged(request)


def test_a_paid_charge_is_not_taken_back(scene: Scene) -> None:
    if scene.can.can_cancel:
        paid = scene.paid()
        assert scene.checked(scene.provider.cancel(paid)).state is State.SUCCEEDED
        assert scene.inquire(paid).state is State.SUCCEEDED


def test_the_statement_lists_what_was_collected(scene: Scene) -> None:
    start, end = clock.now() - timedelta(hours=1), clock.now() + timedelta(hours=3)
    if not scene.can.has_statement:
        with scene.refused(NotSupported):
            scene.provider.statement(start, end)
        return
    paid = scene.paid()
    (line,) = [line for line in scene.provider.statement(start, end) if line.label == paid.label]
    assert (line.receipt, line.amount) == (paid.receipt, paid.amount)
    assert start <= line.at <= end
