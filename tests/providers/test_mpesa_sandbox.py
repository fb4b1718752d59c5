"""M-Pesa against the simulator, over HTTP: from the push to the reversal, and what survives lost answers."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from app import clock
from app.money import Money
from app.providers.base import (
    Callback,
    CallbackEvent,
    ChargeRequest,
    Customer,
    Handle,
    Kind,
    PayoutHandle,
    PayoutMethod,
    PayoutRequest,
    RefundHandle,
    RefundRequest,
    State,
)
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
)
from app.providers.mpesa import MpesaProvider
from tests.support.providers import MemoryTokens, make_provider
from tests.support.sandbox import CallbackReceiver, Received, RunningSandbox, running_sandbox
from tests.support.waiting import wait_until

SETTINGS = {
    "consumer_key": "sandbox-consumer-key",
    "consumer_secret": "sandbox-consumer-secret",
    "shortcode": "174379",
    "passkey": "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919",
    "initiator": "testapi",
    "security_credential": "c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs",
    "b2c_shortcode": "600984",
    "b2b_shortcode": "600984",
    "pull": "true",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), autopay_s=0.1) as sandbox:
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


def on(sandbox: RunningSandbox, **settings: object) -> MpesaProvider:
    return make_provider(MpesaProvider, f"{sandbox.url}/mpesa", **(SETTINGS | settings))


def charge_of(
    receiver: CallbackReceiver, shillings: int = 120, phone: str = "+254712345678"
) -> ChargeRequest:
    number = uuid.uuid4()
    return ChargeRequest(
        str(number), number.hex[:12].upper(), Money(shillings * 100, "KES"), Customer(phone=phone),
        f"{receiver.url}/push/{number.hex}", receiver.url,
    )  # fmt: skip


def handle(request: ChargeRequest, provider_reference: str | None, receipt: str | None = None) -> Handle:
    return Handle(
        request.reference,
        request.label,
        request.amount,
        clock.now(),
        provider_reference,
        receipt,
        request.callback_url,
    )


def payout_of(receiver: CallbackReceiver, shillings: int = 500, **destination: str) -> PayoutRequest:
    method = PayoutMethod.TILL if "till_number" in destination else PayoutMethod.MPESA
    number = uuid.uuid4()
    return PayoutRequest(
        str(number), Money(shillings * 100, "KES"), method, destination or {"phone_number": "254712345678"},
        f"{receiver.url}/payout/{number.hex}",
    )  # fmt: skip


def told(provider: MpesaProvider, received: Received) -> CallbackEvent:
    query = dict(parse_qsl(urlsplit(received.path).query))
    return provider.read_callback(Callback(received.method, received.headers, query, received.body))


def news(
    provider: MpesaProvider, receiver: CallbackReceiver, url: str, *, event_type: str = ""
) -> CallbackEvent:
    """The first callback of this type to a URL."""

    def found() -> CallbackEvent | None:
        events = [told(provider, received) for received in receiver.of(urlsplit(url).path)]
        return next((event for event in events if event.event_type.endswith(event_type)), None)

    return wait_until(found, f"a callback {event_type} arrives", timeout_s=15)


def rule(sandbox: RunningSandbox, operation: str, fault: str, **more: object) -> None:
    sandbox.control(
        {"rules": [{"provider": "mpesa", "operation": operation, "fault": fault, "times": 1, **more}]}
    )


def paid(provider: MpesaProvider, receiver: CallbackReceiver, shillings: int = 120) -> Handle:
    request = charge_of(receiver, shillings)
    pushed = provider.charge(request)
    event = news(provider, receiver, request.callback_url)
    assert event.claim and event.claim.state is State.SUCCEEDED
    return handle(request, pushed.provider_reference, event.claim.receipt)


# --- collecting


def test_a_customer_pays(mpesa, receiver, sandbox):
    request = charge_of(receiver, 1250)
    pushed = mpesa.charge(request)
    assert pushed.state is State.PENDING and pushed.provider_reference
    event = news(mpesa, receiver, request.callback_url)
    assert (event.kind, event.provider_reference) == (Kind.PAYMENT, pushed.provider_reference)
    assert event.claim.amount == request.amount and event.claim.receipt
    asked = mpesa.inquire(handle(request, pushed.provider_reference))
    assert (asked.state, asked.provider_reference) == (State.SUCCEEDED, pushed.provider_reference)
    entries = sandbox.book("mpesa", request.label)["entries"]
    assert [(entry["kind"], entry["id"]) for entry in entries] == [("charge", event.claim.receipt)]


def test_a_customer_who_has_not_answered(mpesa, receiver, sandbox):
    sandbox.control({"autopay_s": "off"})
    request = charge_of(receiver)
    pushed = mpesa.charge(request)
    assert mpesa.inquire(handle(request, pushed.provider_reference)).state is State.PENDING


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        ("cancelled", State.CANCELLED, "1032"), ("insufficient_funds", State.FAILED, "1"),
        ("wrong_pin", State.FAILED, "2001"),
    ],
)  # fmt: skip
def test_a_customer_who_does_not_pay(mpesa, receiver, sandbox, fault, state, code):
    rule(sandbox, "stkpush", fault)
    request = charge_of(receiver)
    pushed = mpesa.charge(request)
    event = news(mpesa, receiver, request.callback_url)
    assert (event.claim.state, event.claim.code, event.claim.receipt) == (state, code, None)
    asked = mpesa.inquire(handle(request, pushed.provider_reference))
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
    event = news(mpesa, receiver, request.callback_url)
    assert event.claim.state is State.SUCCEEDED
    assert mpesa.inquire(handle(request, event.provider_reference)).state is State.SUCCEEDED


def test_answer_and_callback_are_lost_and_the_statement_finds_it(mpesa, receiver, sandbox):
    sandbox.control({
        "rules": [
            {"provider": "mpesa", "operation": "stkpush", "fault": "drop", "times": 1},
            {"provider": "mpesa", "operation": "callback", "fault": "callback_lost"},
        ]
    })  # fmt: skip
    request = charge_of(receiver, 321)
    with pytest.raises(OutcomeUnknown):
        mpesa.charge(request)
    wait_until(lambda: sandbox.book("mpesa", request.label)["entries"], "the customer pays", timeout_s=15)
    begin, end = clock.now() - timedelta(hours=1), clock.now() + timedelta(minutes=1)
    (line,) = [line for line in mpesa.statement(begin, end) if line.label == request.label]
    assert line.amount == request.amount and line.receipt
    assert not receiver.received


def test_nothing_was_done_and_nobody_can_say(mpesa, receiver, sandbox):
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
    news(mpesa, receiver, request.callback_url)
    assert len(sandbox.book("mpesa", request.label)["entries"]) == 1


def test_another_amount_is_told_as_it_is(mpesa, receiver, sandbox):
    rule(sandbox, "stkpush", "wrong_amount")
    request = charge_of(receiver, 120)
    mpesa.charge(request)
    assert news(mpesa, receiver, request.callback_url).claim.amount == Money(12_100, "KES")


def test_repeats_have_one_event_id(mpesa, receiver, sandbox):
    rule(sandbox, "stkpush", "callback_copies", copies=3)
    request = charge_of(receiver)
    mpesa.charge(request)
    received = receiver.wait_for(3, path=urlsplit(request.callback_url).path)
    assert len({told(mpesa, one).event_id for one in received}) == 1


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"consumer_secret": "wrong"}, AuthFailed), ({"passkey": "wrong"}, AuthFailed),
        ({"shortcode": "600000"}, InvalidRequest),
    ],
)  # fmt: skip
def test_wrong_credentials(sandbox, receiver, settings, error):
    with pytest.raises(error):
        on(sandbox, **settings).charge(charge_of(receiver))


# --- giving back


def test_a_payment_is_reversed(mpesa, receiver, sandbox):
    charge = paid(mpesa, receiver)
    url = f"{receiver.url}/refund/1"
    asked = mpesa.refund(RefundRequest(str(uuid.uuid4()), charge.amount, charge, "Returned", url))
    assert asked.state is State.PENDING
    event = news(mpesa, receiver, url)
    assert (event.kind, event.provider_reference) == (Kind.REFUND, asked.provider_reference)
    assert (event.claim.state, event.claim.amount) == (State.SUCCEEDED, charge.amount)
    assert {entry["kind"] for entry in sandbox.book("mpesa")["entries"]} == {"charge", "refund"}
    again = RefundHandle(
        str(uuid.uuid4()), charge.amount, charge, clock.now(), asked.provider_reference, 0, url
    )
    assert mpesa.inquire_refund(again).state is State.PENDING
    answer = news(mpesa, receiver, url, event_type=".status")
    assert (answer.kind, answer.claim.state) == (Kind.REFUND, State.SUCCEEDED)


def test_a_second_reversal_moves_nothing_and_is_left_open(mpesa, receiver, sandbox):
    charge = paid(mpesa, receiver)
    for number in (1, 2):
        url = f"{receiver.url}/refund/{number}"
        try:
            mpesa.refund(RefundRequest(str(uuid.uuid4()), charge.amount, charge, "Returned", url))
        except DuplicateReference:
            assert number == 2
            continue
        event = news(mpesa, receiver, url)
        assert event.claim.state is (State.SUCCEEDED if number == 1 else State.PENDING)
    refunds = [entry for entry in sandbox.book("mpesa")["entries"] if entry["kind"] == "refund"]
    assert len(refunds) == 1


def test_a_part_is_refused_before_anything_is_sent(mpesa, receiver, sandbox):
    charge = paid(mpesa, receiver)
    part = RefundRequest(str(uuid.uuid4()), Money(100, "KES"), charge, "Returned", f"{receiver.url}/refund/1")
    with pytest.raises(InvalidRequest):
        mpesa.refund(part)
    assert not [entry for entry in sandbox.book("mpesa")["entries"] if entry["kind"] == "refund"]


# --- paying out


@pytest.mark.parametrize("destination", [{}, {"till_number": "247247"}], ids=["phone", "till"])
def test_a_payout(mpesa, receiver, sandbox, destination):
    request = payout_of(receiver, **destination)
    sent = mpesa.pay_out(request)
    assert sent.state is State.PENDING
    event = news(mpesa, receiver, request.callback_url)
    assert (event.kind, event.provider_reference) == (Kind.PAYOUT, sent.provider_reference)
    assert (event.claim.state, event.claim.amount) == (State.SUCCEEDED, request.amount)
    assert event.claim.receipt
    known = PayoutHandle(
        request.reference,
        request.amount,
        request.method,
        clock.now(),
        sent.provider_reference,
        request.callback_url,
    )
    assert mpesa.inquire_payout(known).state is State.PENDING
    answer = news(mpesa, receiver, request.callback_url, event_type=".status")
    assert (answer.kind, answer.claim.state, answer.claim.receipt) == (
        Kind.PAYOUT, State.SUCCEEDED, event.claim.receipt,
    )  # fmt: skip
    assert answer.claim.amount == request.amount


def test_a_payout_whose_answer_is_lost_is_made_once(mpesa, receiver, sandbox):
    rule(sandbox, "b2c", "drop")
    request = payout_of(receiver)
    with pytest.raises(OutcomeUnknown):
        mpesa.pay_out(request)
    news(mpesa, receiver, request.callback_url)
    with pytest.raises(DuplicateReference):
        mpesa.pay_out(request)
    lost = PayoutHandle(
        request.reference, request.amount, request.method, clock.now(), None, request.callback_url
    )
    assert mpesa.inquire_payout(lost).state is State.PENDING
    answer = news(mpesa, receiver, request.callback_url, event_type=".status")
    assert answer.claim.state is State.SUCCEEDED
    payouts = [entry for entry in sandbox.book("mpesa")["entries"] if entry["kind"] == "payout"]
    assert len(payouts) == 1


def test_a_payout_that_fails(mpesa, receiver, sandbox):
    rule(sandbox, "b2c", "insufficient_funds")
    request = payout_of(receiver)
    mpesa.pay_out(request)
    event = news(mpesa, receiver, request.callback_url)
    assert (event.kind, event.claim.state, event.claim.receipt) == (Kind.PAYOUT, State.FAILED, None)
    assert not sandbox.book("mpesa")["entries"]


def test_asking_about_a_payout_that_never_was_says_nothing_about_it(mpesa, receiver):
    request = payout_of(receiver)
    handle_of = PayoutHandle(
        request.reference, request.amount, request.method, clock.now(), None, request.callback_url
    )
    try:
        assert mpesa.inquire_payout(handle_of).state is State.PENDING
    except ProviderError as error:
        assert isinstance(error, OutcomeUnknown)
        return
    answer = news(mpesa, receiver, request.callback_url)
    assert (answer.kind, answer.claim.state) == (Kind.PAYOUT, State.PENDING)


def test_the_operators_password_is_sealed_with_the_certificate(sandbox, receiver):
    pem = requests.get(f"{sandbox.url}/mpesa/certificate", timeout=10).text
    sealing = on(sandbox, security_credential="", initiator_password="Sandbox#2026", certificate=pem)
    assert sealing.pay_out(payout_of(receiver)).state is State.PENDING
    wrong = replace(payout_of(receiver), callback_url=f"{receiver.url}/payout/wrong")
    refusing = on(sandbox, security_credential="", initiator_password="Sandbox#1", certificate=pem)
    try:
        refusing.pay_out(wrong)
    except (Declined, InvalidRequest, AuthFailed):
        return
    assert news(refusing, receiver, wrong.callback_url).claim.code in ("2001", "18")


def test_a_payout_that_was_not_in_time_is_asked_about(mpesa, receiver, sandbox):
    rule(sandbox, "b2c", "timed_out")
    request = payout_of(receiver)
    sent = mpesa.pay_out(request)
    event = news(mpesa, receiver, request.callback_url)
    assert (event.kind, event.event_type, event.claim.state) == (Kind.PAYOUT, "payout.timeout", State.PENDING)
    known = PayoutHandle(
        request.reference,
        request.amount,
        request.method,
        clock.now(),
        sent.provider_reference,
        request.callback_url,
    )
    mpesa.inquire_payout(known)
    answer = news(mpesa, receiver, request.callback_url, event_type=".status")
    assert answer.claim.state is State.SUCCEEDED


def test_a_result_may_carry_an_id_of_darajas_own(mpesa, receiver):
    request = payout_of(receiver, 7130)
    sent = mpesa.pay_out(request)
    event = news(mpesa, receiver, request.callback_url)
    assert event.reference != request.reference
    assert event.provider_reference == sent.provider_reference


def test_an_expired_token_is_replaced_in_passing(mpesa, receiver, sandbox):
    rule(sandbox, "b2c", "token_expired")
    request = payout_of(receiver)
    assert mpesa.pay_out(request).state is State.PENDING
    news(mpesa, receiver, request.callback_url)
    assert len(sandbox.book("mpesa")["entries"]) == 1
