"""M-Pesa against the simulator: a customer pays, and what survives lost answers."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from app import clock
from app.money import Money
from app.providers.base import Kind, State
from app.providers.errors import AuthFailed, Declined, OutcomeUnknown, RateLimited, RequestRejected
from tests.support.mpesa import (
    charge_of,
    charge_reference,
    on,
    read_received,
    rule,
    wait_for_callback,
)
from tests.support.providers import MemoryTokens
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with served_sandbox(tmp_path_factory.mktemp("sandbox"), autopay_s=0.1) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: RunningSandbox):
    running.reset()
    return running


@pytest.fixture
def receiver():
    with CallbackReceiver(body=b'{"ResultCode":0,"ResultDesc":"Accepted"}') as server:
        yield server


@pytest.fixture
def mpesa(sandbox):
    return on(sandbox)


def test_a_customer_pays(mpesa, receiver, sandbox):
    request = charge_of(receiver, 1250)
    pushed = mpesa.charge(request)
    assert pushed.state is State.PENDING and pushed.provider_reference
    event = wait_for_callback(mpesa, receiver, request.callback_url)
    assert (event.kind, event.provider_reference) == (Kind.PAYMENT, pushed.provider_reference)
    assert event.reported.amount == request.amount and event.reported.receipt
    asked = mpesa.inquire(charge_reference(request, pushed.provider_reference))
    assert (asked.state, asked.provider_reference) == (State.SUCCEEDED, pushed.provider_reference)
    entries = sandbox.book("mpesa", request.short_reference)["entries"]
    assert [(entry["kind"], entry["id"]) for entry in entries] == [("charge", event.reported.receipt)]


def test_a_customer_who_has_not_answered(mpesa, receiver, sandbox):
    sandbox.control({"autopay_s": "off"})
    request = charge_of(receiver)
    pushed = mpesa.charge(request)
    assert mpesa.inquire(charge_reference(request, pushed.provider_reference)).state is State.PENDING


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        ("cancelled", State.CANCELLED, "1032"),
        ("insufficient_funds", State.FAILED, "1"),
        ("wrong_pin", State.FAILED, "2001"),
    ],
)
def test_a_customer_who_does_not_pay(mpesa, receiver, sandbox, fault, state, code):
    rule(sandbox, "stkpush", fault)
    request = charge_of(receiver)
    pushed = mpesa.charge(request)
    event = wait_for_callback(mpesa, receiver, request.callback_url)
    assert (event.reported.state, event.reported.code, event.reported.receipt) == (state, code, None)
    asked = mpesa.inquire(charge_reference(request, pushed.provider_reference))
    assert (asked.state, asked.code) == (state, code)


def test_a_phone_that_is_busy_is_a_definite_no(mpesa, receiver, sandbox):
    rule(sandbox, "stkpush", "locked")
    with pytest.raises(Declined) as raised:
        mpesa.charge(charge_of(receiver))
    assert raised.value.retry_after_s == 60


@pytest.mark.parametrize(
    ("fault", "more"), [("drop", {}), ("after", {"status": 500}), ("after", {"status": 503})]
)
def test_the_answer_is_lost_and_the_callback_finds_it(mpesa, receiver, sandbox, fault, more):
    rule(sandbox, "stkpush", fault, **more)
    request = charge_of(receiver)
    with pytest.raises(OutcomeUnknown):
        mpesa.charge(request)
    event = wait_for_callback(mpesa, receiver, request.callback_url)
    assert event.reported.state is State.SUCCEEDED
    assert mpesa.inquire(charge_reference(request, event.provider_reference)).state is State.SUCCEEDED


def test_answer_and_callback_are_lost_and_the_statement_finds_it(mpesa, receiver, sandbox):
    sandbox.control(
        {
            "rules": [
                {"provider": "mpesa", "operation": "stkpush", "fault": "drop", "times": 1},
                {"provider": "mpesa", "operation": "callback", "fault": "callback_lost"},
            ]
        }
    )
    request = charge_of(receiver, 321)
    with pytest.raises(OutcomeUnknown):
        mpesa.charge(request)
    wait_until(lambda: sandbox.book("mpesa", request.short_reference)["entries"], "the customer pays")
    begin, end = clock.now() - timedelta(hours=1), clock.now() + timedelta(minutes=1)
    (line,) = [
        line for line in mpesa.statement(begin, end) if line.short_reference == request.short_reference
    ]
    assert line.amount == request.amount and line.receipt
    assert not receiver.received


def test_unmade_charge_with_no_evidence_stays_unknown(mpesa, receiver, sandbox):
    rule(sandbox, "stkpush", "before", status=500)
    with pytest.raises(OutcomeUnknown):
        mpesa.charge(charge_of(receiver))


def test_asked_too_often(mpesa, receiver, sandbox):
    rule(sandbox, "stkpush", "rate_limit")
    with pytest.raises(RateLimited):
        mpesa.charge(charge_of(receiver))


def test_a_token_that_another_gateway_has_ended(mpesa, receiver, sandbox):
    mpesa.charge(charge_of(receiver))
    on(sandbox, tokens=MemoryTokens()).charge(charge_of(receiver, phone="+254112345678"))
    request = charge_of(receiver, phone="+254722345678")
    assert mpesa.charge(request).state is State.PENDING
    wait_for_callback(mpesa, receiver, request.callback_url)
    assert len(sandbox.book("mpesa", request.short_reference)["entries"]) == 1


def test_mismatched_amount_is_reported_unchanged(mpesa, receiver, sandbox):
    rule(sandbox, "stkpush", "wrong_amount")
    request = charge_of(receiver, 120)
    mpesa.charge(request)
    assert wait_for_callback(mpesa, receiver, request.callback_url).reported.amount == Money(12_100, "KES")


def test_repeats_have_one_event_id(mpesa, receiver, sandbox):
    rule(sandbox, "stkpush", "callback_copies", copies=3)
    request = charge_of(receiver)
    mpesa.charge(request)
    received = receiver.wait_for(3, path=urlsplit(request.callback_url).path)
    assert len({read_received(mpesa, one).event_id for one in received}) == 1


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"consumer_secret": "wrong"}, AuthFailed),
        ({"passkey": "wrong"}, AuthFailed),
        ({"shortcode": "600000"}, RequestRejected),
    ],
)
def test_wrong_credentials(sandbox, receiver, settings, error):
    with pytest.raises(error):
        on(sandbox, **settings).charge(charge_of(receiver))
