"""The Paystack adapter without Paystack: subunits, tables, payments, and what odd answers mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import clock
from app.money import MAX_MINOR, Money
from app.providers.base import ChargeRequest, Customer, Handle, State
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from app.providers.paystack import Paystack
from app.providers.paystack.amounts import (
    SUBUNITS,
    collected,
    facts,
    from_subunits,
    mpesa_number,
    to_subunits,
    word,
)
from app.providers.paystack.statuses import CHARGES, EVENTS, REFUNDS, TRANSFERS, state_of
from tests.support.providers import DROP, Scripted, make_provider

REFERENCE = "0192f0c1-7a3b-7c11-8a52-3f2b6d1e9a01"
KEY = "sk_test_sandbox_paystack"
INITIALIZE = "/transaction/initialize"
VERIFY = f"/transaction/verify/{REFERENCE}"


def paystack(url: str = "http://127.0.0.1:9", **values: str) -> Paystack:
    return make_provider(Paystack, url, timeout_s=1.0, **({"secret_key": KEY} | values))


def charge_request(currency: str = "NGN", email: str | None = "ada@example.com") -> ChargeRequest:
    return ChargeRequest(
        REFERENCE, "A1B2C3", Money(30050, currency), Customer(email=email), "http://127.0.0.1:1/hook/secret",
        "http://127.0.0.1:1/back", metadata={"order": "secret of the merchant"},
    )  # fmt: skip


def handle() -> Handle:
    return Handle(REFERENCE, "A1B2C3", Money(30050, "NGN"), clock.now())


def envelope(data: object, *, ok: bool = True, message: str = "ok") -> dict:
    return {"status": ok, "message": message, "data": data}


def refused(message: str, code: str | None = None, type_: str = "validation_error") -> dict:
    return {"status": False, "message": message, "meta": {"nextStep": "…"}, "type": type_} | (
        {"code": code} if code else {}
    )


def link(**instead: object) -> dict:
    data = {
        "authorization_url": "https://checkout.paystack.com/x",
        "access_code": "x",
        "reference": REFERENCE,
    }
    return envelope(data | instead)


def verified(**instead: object) -> dict:
    data = {
        "id": 4099260516, "status": "success", "reference": REFERENCE, "amount": 40333, "requested_amount": 30050,
        "fees": 10283, "currency": "NGN", "metadata": "", "gateway_response": "Successful",
        "authorization": {"last4": "4081"}, "customer": {"email": "ada@example.com"},
    }  # fmt: skip
    return envelope(data | instead)


# --- amounts, numbers, tables


@given(st.sampled_from(sorted(SUBUNITS)), st.integers(1, MAX_MINOR // 100))
def test_subunits_go_there_and_back(currency: str, minor: int) -> None:
    amount = Money(minor, currency)
    assert from_subunits(to_subunits(amount), currency) == amount
    assert from_subunits(str(to_subunits(amount)), currency) == amount


@pytest.mark.parametrize(
    ("amount", "wire"),
    [
        (Money(30050, "NGN"), 30050),
        (Money(500, "XOF"), 50000),
        (Money(1, "KES"), 1),
        (Money(199, "USD"), 199),
    ],
)
def test_what_goes_over_the_wire(amount: Money, wire: int) -> None:
    assert to_subunits(amount) == wire


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        (50050, "XOF"), (1.5, "NGN"), ("1.5", "NGN"), ("1e3", "NGN"), (True, "NGN"), (0, "NGN"), (-1, "NGN"),
        (None, "NGN"), (100, "ngn"), (100, "UGX"), (100, None), ("", "NGN"), ("١٠٠", "NGN"), (10**30, "NGN"),
    ],
)  # fmt: skip
def test_amounts_that_cannot_be_read(value: object, currency: object) -> None:
    assert from_subunits(value, currency) is None


@pytest.mark.parametrize(
    ("amount", "requested", "expected"),
    [
        (40333, 30050, 30050),
        (30050, None, 30050),
        (30050, 30050, 30050),
        (20000, 30050, 20000),
        (None, 30050, None),
        (30050, "many", None),
        (None, None, None),
    ],
)
def test_fees_the_customer_bore_are_not_the_order(
    amount: object, requested: object, expected: int | None
) -> None:
    read = collected({"amount": amount, "requested_amount": requested, "currency": "NGN"})
    assert (read.amount_minor if read else None) == expected


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("254712345678", "0712345678"), ("+254112345678", "0112345678"), ("0712345678", "0712345678"),
        ("255712345678", None), ("25471234567", None), ("", None),
    ],
)  # fmt: skip
def test_kenyan_numbers(phone: str, expected: str | None) -> None:
    assert mpesa_number(phone) == expected


def test_tables_are_pinned() -> None:
    assert {name: state.value for name, state in CHARGES.items()} == {
        "success": "succeeded", "failed": "failed", "reversed": "reversed", "abandoned": "pending",
        "ongoing": "pending", "pending": "pending", "processing": "pending", "queued": "pending",
    }  # fmt: skip
    assert {name: state.value for name, state in REFUNDS.items()} == {
        "pending": "pending", "processing": "pending", "processed": "succeeded", "failed": "failed",
        "needs-attention": "pending",
    }  # fmt: skip
    assert {name: state.value for name, state in TRANSFERS.items()} == {
        "success": "succeeded", "pending": "pending", "received": "pending", "queued": "pending",
        "processing": "pending", "otp": "pending", "failed": "failed", "reversed": "reversed",
    }  # fmt: skip
    assert {"refund.needs-attention", "refund.processed", "transfer.reversed", "charge.success"} < set(EVENTS)


@pytest.mark.parametrize("status", ["paid", "blocked", "rejected", "abandoned", "", None, True])
def test_an_unknown_status_is_an_unknown_outcome(status: object) -> None:
    with pytest.raises(OutcomeUnknown):
        state_of(TRANSFERS, status)


def test_facts_are_fit_for_storage() -> None:
    kept = facts(
        {"a": "x\0y\ud800", "b": 10**30, "c": {"deep": 1}, "id": 4099260516}, "a", "b", "c", "id", "none"
    )
    assert kept == {"a": "xy?", "b": str(10**30), "id": 4099260516}
    assert word({"id": 4099260516}, "id") == "4099260516"


# --- payments


def test_what_is_sent_to_initialize() -> None:
    with Scripted() as far:
        far.on(INITIALIZE, (200, link()))
        result = paystack(far.url, channels="card, mobile_money,").charge(charge_request())
        sent = far.asked(INITIALIZE)[0]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.json == {
        "email": "ada@example.com", "amount": 30050, "currency": "NGN", "reference": REFERENCE,
        "callback_url": "http://127.0.0.1:1/back", "metadata": {"cancel_action": "http://127.0.0.1:1/back"},
        "channels": ["card", "mobile_money"],
    }  # fmt: skip
    assert (result.state, result.payment_url) == (State.PENDING, "https://checkout.paystack.com/x")


def test_channels_are_left_to_the_account() -> None:
    with Scripted() as far:
        far.on(INITIALIZE, (200, link()))
        paystack(far.url).charge(charge_request("XOF"))
        sent = far.asked(INITIALIZE)[0].json
    assert "channels" not in sent
    assert sent["amount"] == 3005000


def test_an_e_mail_is_needed_unless_there_is_one_to_fall_back_on() -> None:
    amount = Money(100, "NGN")
    with pytest.raises(InvalidRequest, match="email"):
        paystack().check(amount, Customer(phone="+2348012345678"))
    spare = paystack(fallback_email="pay@shop.example")
    spare.check(amount, Customer())
    paystack().check(amount, Customer(email="ada@example.com"))
    assert Paystack.capabilities.needs == {"email"}
    with Scripted() as far:
        far.on(INITIALIZE, (200, link()))
        paystack(far.url, fallback_email="pay@shop.example").charge(charge_request(email=None))
        assert far.asked(INITIALIZE)[0].json["email"] == "pay@shop.example"


REFUSED = [
    ((400, refused("Duplicate Transaction Reference", "duplicate_reference")), DuplicateReference),
    ((400, {"status": False, "message": "Duplicate Transaction Reference"}), DuplicateReference),
    ((401, {"status": False, "message": "Invalid key"}), AuthFailed),
    ((403, refused("Access Denied")), AuthFailed),
    ((400, refused("Invalid Email Address Passed", "invalid_params")), InvalidRequest),
    ((400, refused("Currency not supported by merchant", "unsupported_currency")), InvalidRequest),
    ((400, refused("Integration has been deactivated")), Declined),
    ((400, refused("Please wait a few minutes and try again.")), RateLimited),
    ((429, {"status": False, "message": "Too many requests"}), RateLimited),
]
LOST = [
    DROP,
    (500, refused("Server error")),
    (502, b"<html>"),
    (200, b"not json"),
    (200, envelope(None)),
    (200, envelope({})),
    (200, link(authorization_url=None)),
    (200, link(reference="another")),
    (200, refused("No")),
    (200, link() | {"status": False}),
    (200, link() | {"status": "true"}),
    (400, b"<html>"),
    (400, {"message": "no status"}),
    (400, {"status": False}),
    (400, refused("Unable to process", "processor", "processor_error")),
    (302, refused("Elsewhere")),
]


@pytest.mark.parametrize(("answer", "error"), [*REFUSED, *((answer, OutcomeUnknown) for answer in LOST)])
def test_what_answers_to_a_charge_mean(answer: object, error: type[Exception]) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on(INITIALIZE, answer)
        paystack(far.url).charge(charge_request())
    assert type(raised.value) is error
    assert KEY not in repr(raised.value) + json.dumps(raised.value.response)


def test_nobody_there_is_definite() -> None:
    with pytest.raises(Unavailable):
        paystack().charge(charge_request())


def test_verify_tells_the_order_s_amount() -> None:
    with Scripted() as far:
        far.on(VERIFY, (200, verified()))
        result = paystack(far.url).inquire(handle())
    assert (result.state, result.amount, result.receipt) == (
        State.SUCCEEDED,
        Money(30050, "NGN"),
        "4099260516",
    )
    told = json.dumps(dict(result.response))
    assert "4081" not in told
    assert "ada@example.com" not in told


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((200, verified(status="abandoned")), State.PENDING),
        ((200, verified(status="ongoing", amount=None)), State.PENDING),
        ((200, verified(status="failed")), State.FAILED),
        ((200, verified(status="reversed")), State.REVERSED),
        ((200, verified(metadata={"a": 1}, requested_amount=None)), State.SUCCEEDED),
        ((400, refused("Transaction reference not found.", "transaction_not_found")), State.NOT_FOUND),
        ((404, {"status": False, "message": "Transaction not found"}), State.NOT_FOUND),
    ],
)
def test_what_verify_says(answer: object, state: State) -> None:
    with Scripted() as far:
        far.on(VERIFY, answer)
        result = paystack(far.url).inquire(handle())
    assert result.state is state
    assert (result.code is not None) == (state is State.FAILED)


@pytest.mark.parametrize(
    "answer",
    [
        (200, verified(status="paid")),
        (200, verified(status=None)),
        (200, verified(reference="another")),
        (200, verified(amount=None, requested_amount=None)),
        (200, verified(currency="XXX")),
        (200, verified(id=None)),
        (200, envelope([])),
        (200, refused("Transaction reference not found.", "transaction_not_found")),
        (404, b"<html>"),
        (404, refused("Not here")),
        (400, refused("Integration has been deactivated")),
        (500, refused("Transaction reference not found.", "transaction_not_found")),
        DROP,
    ],
)
def test_an_unclear_inquiry_is_unknown(answer: object) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown):
        far.on(VERIFY, answer)
        paystack(far.url).inquire(handle())


def test_what_can_be_charged() -> None:
    customer = Customer(email="ada@example.com")
    for currency in ("NGN", "GHS", "ZAR", "KES", "USD", "XOF"):
        paystack().check(Money(100, currency), customer)
    with pytest.raises(InvalidRequest, match="ETB"):
        paystack().check(Money(100, "ETB"), customer)
