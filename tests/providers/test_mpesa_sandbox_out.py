"""M-Pesa against the simulator: reversals and payouts."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
import requests

from app import clock
from app.money import Money
from app.providers.base import Kind, PayoutReference, RefundReference, RefundRequest, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    OutcomeUnknown,
    ProviderError,
    RequestRejected,
)
from tests.support.mpesa import (
    on,
    paid,
    payout_of,
    rule,
    wait_for_callback,
)
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox


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


def test_a_payment_is_reversed(mpesa, receiver, sandbox):
    charge = paid(mpesa, receiver)
    url = f"{receiver.url}/refund/1"
    asked = mpesa.refund(RefundRequest(str(uuid.uuid4()), charge.amount, charge, "Returned", url))
    assert asked.state is State.PENDING
    event = wait_for_callback(mpesa, receiver, url)
    assert (event.kind, event.provider_reference) == (Kind.REFUND, asked.provider_reference)
    assert (event.reported.state, event.reported.amount) == (State.SUCCEEDED, charge.amount)
    assert {entry["kind"] for entry in sandbox.book("mpesa")["entries"]} == {"charge", "refund"}
    again = RefundReference(
        str(uuid.uuid4()), charge.amount, charge, clock.now(), asked.provider_reference, 0, url
    )
    assert mpesa.inquire_refund(again).state is State.PENDING
    answer = wait_for_callback(mpesa, receiver, url, event_type=".status")
    assert (answer.kind, answer.reported.state) == (Kind.REFUND, State.SUCCEEDED)


def test_a_second_reversal_moves_nothing_and_is_left_open(mpesa, receiver, sandbox):
    charge = paid(mpesa, receiver)
    for number in (1, 2):
        url = f"{receiver.url}/refund/{number}"
        try:
            mpesa.refund(RefundRequest(str(uuid.uuid4()), charge.amount, charge, "Returned", url))
        except DuplicateReference:
            assert number == 2
            continue
        event = wait_for_callback(mpesa, receiver, url)
        assert event.reported.state is (State.SUCCEEDED if number == 1 else State.PENDING)
    refunds = [entry for entry in sandbox.book("mpesa")["entries"] if entry["kind"] == "refund"]
    assert len(refunds) == 1


def test_a_part_is_refused_before_anything_is_sent(mpesa, receiver, sandbox):
    charge = paid(mpesa, receiver)
    part = RefundRequest(str(uuid.uuid4()), Money(100, "KES"), charge, "Returned", f"{receiver.url}/refund/1")
    with pytest.raises(RequestRejected):
        mpesa.refund(part)
    assert not [entry for entry in sandbox.book("mpesa")["entries"] if entry["kind"] == "refund"]


@pytest.mark.parametrize("destination", [{}, {"till_number": "247247"}], ids=["phone", "till"])
def test_a_payout(mpesa, receiver, sandbox, destination):
    request = payout_of(receiver, **destination)
    sent = mpesa.pay_out(request)
    assert sent.state is State.PENDING
    event = wait_for_callback(mpesa, receiver, request.callback_url)
    assert (event.kind, event.provider_reference) == (Kind.PAYOUT, sent.provider_reference)
    assert (event.reported.state, event.reported.amount) == (State.SUCCEEDED, request.amount)
    assert event.reported.receipt
    known = PayoutReference(
        request.reference,
        request.amount,
        request.method,
        clock.now(),
        sent.provider_reference,
        request.callback_url,
    )
    assert mpesa.inquire_payout(known).state is State.PENDING
    answer = wait_for_callback(mpesa, receiver, request.callback_url, event_type=".status")
    assert (answer.kind, answer.reported.state, answer.reported.receipt) == (
        Kind.PAYOUT,
        State.SUCCEEDED,
        event.reported.receipt,
    )
    assert answer.reported.amount == request.amount


def test_a_payout_whose_answer_is_lost_is_made_once(mpesa, receiver, sandbox):
    rule(sandbox, "b2c", "drop")
    request = payout_of(receiver)
    with pytest.raises(OutcomeUnknown):
        mpesa.pay_out(request)
    wait_for_callback(mpesa, receiver, request.callback_url)
    with pytest.raises(DuplicateReference):
        mpesa.pay_out(request)
    lost = PayoutReference(
        request.reference, request.amount, request.method, clock.now(), None, request.callback_url
    )
    assert mpesa.inquire_payout(lost).state is State.PENDING
    answer = wait_for_callback(mpesa, receiver, request.callback_url, event_type=".status")
    assert answer.reported.state is State.SUCCEEDED
    payouts = [entry for entry in sandbox.book("mpesa")["entries"] if entry["kind"] == "payout"]
    assert len(payouts) == 1


def test_a_payout_that_fails(mpesa, receiver, sandbox):
    rule(sandbox, "b2c", "insufficient_funds")
    request = payout_of(receiver)
    mpesa.pay_out(request)
    event = wait_for_callback(mpesa, receiver, request.callback_url)
    assert (event.kind, event.reported.state, event.reported.receipt) == (Kind.PAYOUT, State.FAILED, None)
    assert not sandbox.book("mpesa")["entries"]


def test_asking_about_a_payout_that_never_was_says_nothing_about_it(mpesa, receiver):
    request = payout_of(receiver)
    charge_reference = PayoutReference(
        request.reference, request.amount, request.method, clock.now(), None, request.callback_url
    )
    try:
        assert mpesa.inquire_payout(charge_reference).state is State.PENDING
    except ProviderError as error:
        assert isinstance(error, OutcomeUnknown)
        return
    answer = wait_for_callback(mpesa, receiver, request.callback_url)
    assert (answer.kind, answer.reported.state) == (Kind.PAYOUT, State.PENDING)


def test_the_operators_password_is_sealed_with_the_certificate(sandbox, receiver):
    pem = requests.get(f"{sandbox.url}/sandbox/mpesa/certificate", timeout=30).text
    sealing = on(sandbox, security_credential="", initiator_password="Sandbox#2026", certificate=pem)
    assert sealing.pay_out(payout_of(receiver)).state is State.PENDING
    wrong = replace(payout_of(receiver), callback_url=f"{receiver.url}/payout/wrong")
    refusing = on(sandbox, security_credential="", initiator_password="Sandbox#1", certificate=pem)
    try:
        refusing.pay_out(wrong)
    except (Declined, RequestRejected, AuthFailed):
        return
    assert wait_for_callback(refusing, receiver, wrong.callback_url).reported.code in ("2001", "18")


def test_a_payout_that_was_not_in_time_is_asked_about(mpesa, receiver, sandbox):
    rule(sandbox, "b2c", "timed_out")
    request = payout_of(receiver)
    sent = mpesa.pay_out(request)
    event = wait_for_callback(mpesa, receiver, request.callback_url)
    assert (event.kind, event.event_type, event.reported.state) == (
        Kind.PAYOUT,
        "payout.timeout",
        State.PENDING,
    )
    known = PayoutReference(
        request.reference,
        request.amount,
        request.method,
        clock.now(),
        sent.provider_reference,
        request.callback_url,
    )
    mpesa.inquire_payout(known)
    answer = wait_for_callback(mpesa, receiver, request.callback_url, event_type=".status")
    assert answer.reported.state is State.SUCCEEDED


def test_a_result_may_carry_an_id_of_darajas_own(mpesa, receiver):
    request = payout_of(receiver, 7130)
    sent = mpesa.pay_out(request)
    event = wait_for_callback(mpesa, receiver, request.callback_url)
    assert event.reference != request.reference
    assert event.provider_reference == sent.provider_reference


def test_an_expired_token_is_replaced_in_passing(mpesa, receiver, sandbox):
    rule(sandbox, "b2c", "token_expired")
    request = payout_of(receiver)
    assert mpesa.pay_out(request).state is State.PENDING
    wait_for_callback(mpesa, receiver, request.callback_url)
    assert len(sandbox.book("mpesa")["entries"]) == 1
