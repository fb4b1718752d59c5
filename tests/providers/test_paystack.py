"""The Paystack adapter without Paystack: subunits, tables, payments, and what odd answers mean."""

from __future__ import annotations

import json

import pytest

from app import clock
from app.money import Money
from app.providers.base import ChargeReference, ChargeRequest, Customer, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRejected,
)
from app.providers.paystack import Paystack
from app.providers.paystack.statuses import REFUSALS
from tests.support.paystack import KEY, REFERENCE, Answer, ok, paystack, refused
from tests.support.providers import DROP, Scripted

INITIALIZE = "/transaction/initialize"
VERIFY = f"/transaction/verify/{REFERENCE}"


def charge_request(currency: str = "NGN", email: str | None = "ada@example.com") -> ChargeRequest:
    return ChargeRequest(
        REFERENCE,
        "A1B2C3",
        Money(30050, currency),
        Customer(email=email),
        "http://127.0.0.1:1/hook/secret",
        "http://127.0.0.1:1/back",
        metadata={"order": "secret of the merchant"},
    )


def charge_reference() -> ChargeReference:
    return ChargeReference(REFERENCE, "A1B2C3", Money(30050, "NGN"), clock.now())


def link(**instead: object) -> Answer:
    data = {
        "authorization_url": "https://checkout.paystack.com/x",
        "access_code": "x",
        "reference": REFERENCE,
    }
    return ok(data | instead)


def verified(**instead: object) -> Answer:
    data = {
        "id": 4099260516,
        "status": "success",
        "reference": REFERENCE,
        "amount": 40333,
        "requested_amount": 30050,
        "fees": 10283,
        "currency": "NGN",
        "metadata": "",
        "gateway_response": "Successful",
        "authorization": {"last4": "4081"},
        "customer": {"email": "ada@example.com"},
    }
    return ok(data | instead)


# --- payments


def test_what_is_sent_to_initialize() -> None:
    with Scripted() as far:
        far.on(INITIALIZE, link())
        result = paystack(far.url, channels="card, mobile_money,").charge(charge_request())
        sent = far.asked(INITIALIZE)[0]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.json == {
        "email": "ada@example.com",
        "amount": 30050,
        "currency": "NGN",
        "reference": REFERENCE,
        "callback_url": "http://127.0.0.1:1/back",
        "metadata": {"cancel_action": "http://127.0.0.1:1/back"},
        "channels": ["card", "mobile_money"],
    }
    assert (result.state, result.payment_url) == (State.PENDING, "https://checkout.paystack.com/x")


def test_channels_are_left_to_the_account() -> None:
    with Scripted() as far:
        far.on(INITIALIZE, link())
        paystack(far.url).charge(charge_request("XOF"))
        sent = far.asked(INITIALIZE)[0].json
    assert "channels" not in sent
    assert sent["amount"] == 3005000


def test_an_e_mail_is_needed_unless_there_is_one_to_fall_back_on() -> None:
    amount = Money(100, "NGN")
    with pytest.raises(RequestRejected, match="email"):
        paystack().check(amount, Customer(phone="+2348012345678"))
    spare = paystack(fallback_email="pay@shop.example")
    spare.check(amount, Customer())
    paystack().check(amount, Customer(email="ada@example.com"))
    assert Paystack.capabilities.needs == {"email"}
    with Scripted() as far:
        far.on(INITIALIZE, link())
        paystack(far.url, fallback_email="pay@shop.example").charge(charge_request(email=None))
        assert far.asked(INITIALIZE)[0].json["email"] == "pay@shop.example"


REFUSED = [
    # Every row of REFUSALS is met, by code where Paystack sends one, and by its sentence.
    (
        refused("Duplicate Transaction Reference", "duplicate_reference"),
        DuplicateReference,
        "duplicate_reference",
    ),
    (refused("Duplicate Transaction Reference"), DuplicateReference, "duplicate_reference"),
    (
        refused("Please provide a unique reference. Reference already exists on a transfer"),
        DuplicateReference,
        "duplicate_reference",
    ),
    (refused("Duplicate charge request"), DuplicateReference, "duplicate_reference"),
    (refused("No", "insufficient_balance"), Declined, "insufficient_balance"),
    (refused("Your balance is not enough to fulfil this request"), Declined, "insufficient_balance"),
    (
        refused("Insufficient balance to fulfill this refund. Please top up."),
        Declined,
        "insufficient_balance",
    ),
    (
        refused("Transaction has been fully reversed", "transaction_reversed", "api_error"),
        Declined,
        "fully_refunded",
    ),
    (refused("Integration has been deactivated"), Declined, "merchant_disabled"),
    (refused("Please wait a few minutes and try again."), RateLimited, "rate_limited"),
    # Unknown messages: type and status decide.
    (refused("Invalid key", http=401), AuthFailed, "auth_failed"),
    (refused("Access Denied", "x", http=403), AuthFailed, "auth_failed"),
    (refused("Invalid Email Address Passed", "invalid_params"), RequestRejected, "invalid_params"),
    (
        refused("Currency not supported by merchant", "unsupported_currency"),
        RequestRejected,
        "unsupported_currency",
    ),
    (refused("An unknown sentence"), RequestRejected, "http_400"),
    (refused("An unknown sentence", "unheard_of", http=422), RequestRejected, "unheard_of"),
    (refused("Unable to process", "processor", "processor_error"), OutcomeUnknown, "processor_error"),
    (refused("Too many requests", http=429), RateLimited, "rate_limited"),
]
LOST = [
    DROP,
    refused("Server error", http=500),
    (502, b"<html>"),
    (200, b"not json"),
    ok(None),
    ok({}),
    link(authorization_url=None),
    link(reference="another"),
    refused("No", http=200),
    (200, link()[1] | {"status": False}),
    (200, link()[1] | {"status": "true"}),
    (400, b"<html>"),
    (400, {"message": "no status"}),
    (400, {"status": False}),
    refused("Elsewhere", http=302),
]


@pytest.mark.parametrize(("answer", "error", "code"), REFUSED)
def test_what_refusals_mean(answer: Answer, error: type[ProviderError], code: str) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on(INITIALIZE, answer)
        paystack(far.url).charge(charge_request())
    assert (type(raised.value), raised.value.code) == (error, code)
    assert KEY not in repr(raised.value) + json.dumps(raised.value.response)


def test_every_refusal_is_met() -> None:
    texts = [" ".join(str(value) for value in body.values()).lower() for (_, body), _, _ in REFUSED]
    assert [part for part, _, _ in REFUSALS if not any(part in one for one in texts)] == []


@pytest.mark.parametrize("answer", LOST)
def test_whatever_is_no_clear_answer_is_unknown(answer: object) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown) as raised:
        far.on(INITIALIZE, answer)
        paystack(far.url).charge(charge_request())
    assert type(raised.value) is OutcomeUnknown
    assert KEY not in repr(raised.value) + json.dumps(raised.value.response)


def test_refused_connection_is_definite() -> None:
    with pytest.raises(NotSent):
        paystack().charge(charge_request())


def test_verify_tells_the_order_s_amount() -> None:
    with Scripted() as far:
        far.on(VERIFY, verified())
        result = paystack(far.url).inquire(charge_reference())
    assert (result.state, result.amount, result.receipt) == (
        State.SUCCEEDED,
        Money(30050, "NGN"),
        "4099260516",
    )
    stored = json.dumps(dict(result.response))
    assert "4081" not in stored
    assert "ada@example.com" not in stored


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (verified(status="abandoned"), State.PENDING),
        (verified(status="ongoing", amount=None), State.PENDING),
        (verified(status="failed"), State.PENDING),
        (verified(status="reversed"), State.REVERSED),
        (verified(metadata={"a": 1}, requested_amount=None), State.SUCCEEDED),
        (refused("Transaction reference not found.", "transaction_not_found"), State.NOT_FOUND),
        (refused("Transaction not found", http=404), State.NOT_FOUND),
        (refused("Entity not found", http=404), State.NOT_FOUND),
    ],
)
def test_what_verify_says(answer: object, state: State) -> None:
    with Scripted() as far:
        far.on(VERIFY, answer)
        result = paystack(far.url).inquire(charge_reference())
    assert result.state is state
    has_failed_try = result.response.get("status") == "failed"
    assert (result.code is not None) == result.has_failed_try == has_failed_try


@pytest.mark.parametrize(
    "answer",
    [
        verified(status="paid"),
        verified(status=None),
        verified(reference="another"),
        verified(amount=None, requested_amount=None),
        verified(currency="XXX"),
        verified(id=None),
        ok([]),
        refused("Transaction reference not found.", "transaction_not_found", http=200),
        (404, b"<html>"),
        refused("Not here", http=404),
        refused("Integration has been deactivated"),
        refused("Transaction reference not found.", "transaction_not_found", http=500),
        DROP,
    ],
)
def test_an_unclear_inquiry_is_unknown(answer: object) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown):
        far.on(VERIFY, answer)
        paystack(far.url).inquire(charge_reference())


def test_what_can_be_charged() -> None:
    customer = Customer(email="ada@example.com")
    for currency in ("NGN", "GHS", "ZAR", "KES", "USD", "XOF"):
        paystack().check(Money(100, currency), customer)
    with pytest.raises(RequestRejected, match="ETB"):
        paystack().check(Money(100, "ETB"), customer)
