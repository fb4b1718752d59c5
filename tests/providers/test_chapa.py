"""The Chapa adapter without Chapa: spelling, tables, payments, and what odd answers mean."""

from __future__ import annotations

import json

import pytest

from app import clock
from app.money import Money
from app.providers.base import (
    ChargeRequest,
    Customer,
    Handle,
    PayoutMethod,
    PayoutRequest,
    State,
)
from app.providers.chapa import Chapa
from app.providers.chapa.amounts import contact, facts, local_phone, money, text
from app.providers.chapa.statuses import CHARGES, EVENTS, PAYOUTS, REFUNDS, state_of
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from tests.support.providers import DROP, Scripted, make_provider

REFERENCE = "0192f0c1-7a3b-7c11-8a52-3f2b6d1e9a01"
SECRET = "chapa_hook_secret"

INITIALIZE = "/transaction/initialize"
VERIFY = f"/transaction/verify/{REFERENCE}"
LINK = {
    "message": "Hosted Link",
    "status": "success",
    "data": {"checkout_url": "https://checkout.chapa.co/x"},
}


def chapa(url: str = "http://127.0.0.1:9", **values: str) -> Chapa:
    values = {
        "secret_key": "CHASECK_TEST-sandbox",
        "webhook_secret": SECRET,
        "approval_secret": "approve",
    } | values
    return make_provider(Chapa, url, timeout_s=1.0, **values)


def charge_request(**customer: str) -> ChargeRequest:
    return ChargeRequest(
        REFERENCE, "A1B2C3", Money(10050, "ETB"), Customer(**customer), "http://127.0.0.1:1/hook/secret", "http://127.0.0.1:1/back",
        description="Order #12 (blue)",
    )  # fmt: skip


def handle(receipt: str | None = "6jnheVKQEmy") -> Handle:
    return Handle(REFERENCE, "A1B2C3", Money(10050, "ETB"), clock.now(), receipt=receipt)


def payout_request(method: PayoutMethod = PayoutMethod.BANK, **instead: str) -> PayoutRequest:
    destination = {
        "account_name": "Abebe Kebede",
        "account_number": "1000123456789",
        "bank_code": "946",
    } | instead
    return PayoutRequest(REFERENCE, Money(200000, "ETB"), method, destination)


def failed(message: object, status: str | None = "failed") -> dict:
    return {"message": message, "status": status, "data": None}


def details(**instead: object) -> dict:
    data = {
        "status": "success",
        "tx_ref": REFERENCE,
        "reference": "6jnheVKQEmy",
        "amount": 100.5,
        "currency": "ETB",
    }
    return {
        "message": "Payment details",
        "status": "success",
        "data": data | {"charge": 3.5, "email": "a@b.et"} | instead,
    }


# --- spelling


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("+251911223344", "0911223344"),
        ("+251711223344", "0711223344"),
        ("0911223344", "0911223344"),
        ("+254711223344", None),
        ("+251811223344", None),
        ("+25191122334", None),
        ("٠٩١١٢٢٣٣٤٤", None),
        ("", None),
        (None, None),
    ],
)
def test_only_ethiopian_mobile_numbers_are_sent(phone: str | None, expected: str | None) -> None:
    assert local_phone(phone) == expected


def test_contact_leaves_out_what_chapa_would_refuse() -> None:
    everything = contact(Customer("+251911223344", "abebe@example.com", "Abebe Kebede Alemu"))
    assert everything == {
        "first_name": "Abebe", "last_name": "Kebede Alemu", "phone_number": "0911223344", "email": "abebe@example.com",
    }  # fmt: skip
    assert contact(Customer("+15551234567", "no address", None)) == {}
    assert contact(Customer(None, "a@b", "Abebe")) == {"first_name": "Abebe"}


def test_texts_keep_what_chapa_allows() -> None:
    assert text("Order #12 (blue) – 50%", 50) == "Order 12 blue 50"
    assert text("ክፍያ", 50) == ""
    assert len(text("a" * 80, 16)) == 16


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("400.00", 40000),
        (100, 10000),
        ("0.01", 1),
        ("1.005", None),
        (1.5, None),
        ("1e3", None),
        (0, None),
        (None, None),
    ],
)
def test_amounts_are_read_exactly(value: object, expected: int | None) -> None:
    read = money(value, "ETB")
    assert (read.amount_minor if read else None) == expected


def test_facts_are_fit_for_storage() -> None:
    kept = facts({"a": "x\0y\ud800", "b": 10**30, "c": {"deep": 1}, "d": True, "e": "z" * 999}, *"abcde")
    assert kept == {"a": "xy?", "b": str(10**30), "d": True, "e": "z" * 200}
    json.dumps(kept).encode()


def test_tables_are_pinned() -> None:
    assert {word: state.value for word, state in CHARGES.items()} == {
        "success": "succeeded", "failed": "failed", "pending": "pending", "cancelled": "cancelled",
        "failed/cancelled": "failed", "reversed": "reversed",
    }  # fmt: skip
    assert {word for word, state in REFUNDS.items() if state is State.SUCCEEDED} == {"refunded", "success"}
    assert {word for word, state in PAYOUTS.items() if state is State.SUCCEEDED} == {"success"}
    assert set(EVENTS) == {
        "charge.success", "charge.failed/cancelled", "charge.reversed", "charge.refunded",
        "payout.success", "payout.failed/cancelled",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["paid", "", None, 1, "refunded", ["success"]])
def test_an_unknown_status_is_an_unknown_outcome(word: object) -> None:
    with pytest.raises(OutcomeUnknown):
        state_of(CHARGES, word)


# --- what is sent, and what answers mean


def test_what_is_sent_to_initialize() -> None:
    with Scripted() as far:
        far.on(INITIALIZE, (200, LINK))
        result = chapa(far.url, title="A shop with a long name").charge(
            charge_request(phone="+251911223344", email="a@b.et", name="Abebe")
        )
        sent = far.asked(INITIALIZE)[0]
    assert result.state is State.PENDING
    assert result.payment_url == "https://checkout.chapa.co/x"
    assert sent.headers["authorization"] == "Bearer CHASECK_TEST-sandbox"
    assert sent.json == {
        "amount": "100.50", "currency": "ETB", "tx_ref": REFERENCE, "first_name": "Abebe",
        "phone_number": "0911223344", "email": "a@b.et", "callback_url": "http://127.0.0.1:1/hook/secret",
        "return_url": "http://127.0.0.1:1/back",
        "customization": {"title": "A shop with a lo", "description": "Order 12 blue"},
    }  # fmt: skip


def test_an_e_mail_chapa_refuses_is_left_out_and_asked_again_once() -> None:
    with Scripted() as far:
        far.on(INITIALIZE, (400, failed({"email": ["validation.email"]})), (200, LINK))
        assert chapa(far.url).charge(charge_request(email="a@b.et")).state is State.PENDING
        bodies = [request.json for request in far.asked(INITIALIZE)]
        assert ["email" in body for body in bodies] == [True, False]
        far.on(INITIALIZE, (400, failed({"amount": ["validation.required"]})))
        with pytest.raises(InvalidRequest, match=r"amount: validation\.required"):
            chapa(far.url).charge(charge_request(email="a@b.et"))
        assert len(far.asked(INITIALIZE)) == 3


REFUSED = [
    ((400, failed("Transaction reference has been used before")), DuplicateReference),
    ((401, failed("Invalid API Key or User doesn't exist")), AuthFailed),
    ((401, failed("Authorization required")), AuthFailed),
    ((400, failed("Invalid currency. ETB and USD are supported")), InvalidRequest),
    ((400, failed("User can't receive payments. Please contact support")), Declined),
    ((404, failed("Payments through API is disabled")), Declined),
    ((400, failed("A sentence nobody has seen")), InvalidRequest),
    ((429, failed("Too Many Attempts.")), RateLimited),
]
LOST = [
    DROP,
    (500, failed("Server Error")),
    (502, b"<html>Bad gateway</html>"),
    (200, b"not json"),
    (200, b"[]"),
    (200, {"message": "Hosted Link", "status": "success", "data": {}}),
    (200, {"message": "Hosted Link", "status": "success", "data": None}),
    (200, failed("No")),
    (200, LINK | {"status": "failed"}),
    (400, b"<html>Bad request</html>"),
    (404, {"status": "failed"}),
    (302, failed("Elsewhere")),
    (408, failed("Timed out")),
]


@pytest.mark.parametrize(("answer", "error"), [*REFUSED, *((answer, OutcomeUnknown) for answer in LOST)])
def test_what_answers_to_a_charge_mean(answer: object, error: type[Exception]) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on(INITIALIZE, answer)
        chapa(far.url).charge(charge_request())
    assert type(raised.value) is error
    assert "CHASECK" not in repr(raised.value) + json.dumps(raised.value.response)


def test_nobody_there_is_definite() -> None:
    with pytest.raises(Unavailable):
        chapa().charge(charge_request())


def test_verify_tells_amount_receipt_and_state() -> None:
    with Scripted() as far:
        far.on(VERIFY, (200, details()))
        result = chapa(far.url).inquire(handle(None))
    assert (result.state, result.amount, result.receipt) == (
        State.SUCCEEDED,
        Money(10050, "ETB"),
        "6jnheVKQEmy",
    )
    assert result.response["amount"] == "100.5"
    assert "email" not in result.response
    json.dumps(dict(result.response))


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((404, failed("Payment not paid yet", None)), State.PENDING),
        ((404, failed("Invalid transaction or Transaction not found")), State.NOT_FOUND),
        ((200, details(status="pending")), State.PENDING),
        ((200, details(status="failed", reference=None)), State.FAILED),
        ((200, details(amount="100.50")), State.SUCCEEDED),
    ],
)
def test_what_verify_says(answer: object, state: State) -> None:
    with Scripted() as far:
        far.on(VERIFY, answer)
        assert chapa(far.url).inquire(handle()).state is state


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"<html>Not found</html>"),
        (404, failed("Something else")),
        (400, failed("Something else")),
        (404, failed("Payments through API is disabled")),
        (200, details(status="paid")),
        (200, details(status=None)),
        (200, details(tx_ref="another")),
        (200, details(tx_ref=None)),
        (200, details(amount=None)),
        (200, details(amount="a lot")),
        (200, details(currency="XXX")),
        (200, details(reference=None)),
        (200, failed("Payment not paid yet", None)),
        (500, failed("Payment not paid yet")),
        DROP,
    ],
)
def test_an_unclear_inquiry_is_unknown(answer: object) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown):
        far.on(VERIFY, answer)
        chapa(far.url).inquire(handle())


def test_what_can_be_charged() -> None:
    chapa().check(Money(100, "ETB"), Customer())
    chapa().check(Money(100, "USD"), Customer())
    with pytest.raises(InvalidRequest, match="KES"):
        chapa().check(Money(100, "KES"), Customer())
