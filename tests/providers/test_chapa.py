"""The Chapa adapter without Chapa: spelling, tables, payments, and what odd answers mean."""

from __future__ import annotations

import json

import pytest

from app.money import Money
from app.providers.base import (
    ChargeRequest,
    Customer,
    State,
)
from app.providers.chapa.amounts import contact, local_phone, money, text
from app.providers.chapa.statuses import CHARGES, EVENTS, PAYOUTS, REFUNDS, REFUSALS
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
from app.providers.facts import facts
from app.providers.replies import state_of
from tests.support.chapa import REFERENCE, VERIFY, chapa, charge_reference, details, failed, succeeded
from tests.support.providers import DROP, Scripted

INITIALIZE = "/transaction/initialize"
LINK = succeeded({"checkout_url": "https://checkout.chapa.co/x"}, "Hosted Link")


def charge_request(**customer: str) -> ChargeRequest:
    return ChargeRequest(
        REFERENCE,
        "A1B2C3",
        Money(10050, "ETB"),
        Customer(**customer),
        "http://127.0.0.1:1/hook/secret",
        "http://127.0.0.1:1/back",
        description="Order #12 (blue)",
    )


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
        "first_name": "Abebe",
        "last_name": "Kebede Alemu",
        "phone_number": "0911223344",
        "email": "abebe@example.com",
    }
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
        "success": "succeeded",
        "failed": "pending",
        "pending": "pending",
        "cancelled": "cancelled",
        "failed/cancelled": "pending",
        "reversed": "reversed",
        "refunded": "refunded",
    }
    assert {word: state.value for word, state in REFUNDS.items()} == {
        "refund initiated": "pending",
        "initiated": "pending",
        "pending": "pending",
        "processing": "pending",
        "refunded": "succeeded",
        "success": "succeeded",
        "failed": "failed",
    }
    assert {word: state.value for word, state in PAYOUTS.items()} == {
        "success": "succeeded",
        "pending": "pending",
        "queued": "pending",
        "processing": "pending",
        "failed": "failed",
        "cancelled": "failed",
        "failed/cancelled": "failed",
        "reverted": "reversed",
        "reversed": "reversed",
    }
    assert {name: (kind.value, state.value) for name, (kind, state) in EVENTS.items()} == {
        "charge.success": ("payment", "succeeded"),
        "charge.failed/cancelled": ("payment", "pending"),
        "charge.reversed": ("payment", "reversed"),
        "charge.refunded": ("refund", "succeeded"),
        "payout.success": ("payout", "succeeded"),
        "payout.failed/cancelled": ("payout", "failed"),
    }


@pytest.mark.parametrize("word", ["paid", "", None, 1, "refund initiated", ["success"]])
def test_an_unknown_status_is_an_unknown_outcome(word: object) -> None:
    with pytest.raises(OutcomeUnknown):
        state_of(CHARGES, word, provider="Chapa")


def test_reversed_refund_needs_review() -> None:
    with pytest.raises(OutcomeUnknown):
        state_of(REFUNDS, "reversed", provider="Chapa")


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
        "amount": "100.50",
        "currency": "ETB",
        "tx_ref": REFERENCE,
        "first_name": "Abebe",
        "phone_number": "0911223344",
        "email": "a@b.et",
        "callback_url": "http://127.0.0.1:1/hook/secret",
        "return_url": "http://127.0.0.1:1/back",
        "customization": {"title": "A shop with a lo", "description": "Order 12 blue"},
    }


def test_an_e_mail_chapa_refuses_is_left_out_and_asked_again_once() -> None:
    with Scripted() as far:
        far.on(INITIALIZE, (400, failed({"email": ["validation.email"]})), (200, LINK))
        assert chapa(far.url).charge(charge_request(email="a@b.et")).state is State.PENDING
        bodies = [request.json for request in far.asked(INITIALIZE)]
        assert ["email" in body for body in bodies] == [True, False]
        far.on(INITIALIZE, (400, failed({"amount": ["validation.required"]})))
        with pytest.raises(RequestRejected, match=r"amount: validation\.required"):
            chapa(far.url).charge(charge_request(email="a@b.et"))
        assert len(far.asked(INITIALIZE)) == 3


REFUSED = [
    # Sentence and status as in Chapa's list of responses; every row of REFUSALS is met.
    (400, "Transaction reference has been used before", DuplicateReference, "duplicate_reference"),
    (400, "The tx ref has already been taken.", DuplicateReference, "duplicate_reference"),
    (401, "Transfer hours are Mon-Sat from 08:30 AM - 04:30 PM only", NotSent, "transfer_hours"),
    (404, "Transfer API isn't available now", NotSent, "transfers_closed"),
    (401, "The Bank Code is incorrect please check if it does exist", RequestRejected, "bank_code"),
    (400, "This bank is no longer supported or banned by NBE", RequestRejected, "bank"),
    (400, "Account number is not valid for Awash Bank", RequestRejected, "account_number"),
    (400, "Insufficient Balance", Declined, "insufficient_balance"),
    (400, "Invalid currency, currency is not supported", RequestRejected, "currency"),
    (400, "User can't receive payments. Please contact support", Declined, "merchant_disabled"),
    (400, "User can\u2019t receive payments", Declined, "merchant_disabled"),
    (400, "User can\u02bct receive payments", Declined, "merchant_disabled"),
    (400, "User can\u00b4t receive payments", Declined, "merchant_disabled"),
    (404, "Payments through API is disabled, please contact us", Declined, "api_disabled"),
    (400, "Refunds can only be processed in live mode", RequestRejected, "live_mode_only"),
    (401, "Live secret keys can't be used to verify a test transaction", AuthFailed, "other_mode"),
    (401, "Invalid API Key or User doesn't exist", AuthFailed, "invalid_key"),
    (401, "Authorization required", AuthFailed, "authorization_required"),
    # An unknown sentence: the status decides.
    (400, "An unknown sentence", RequestRejected, "http_400"),
    (401, "An unknown sentence", AuthFailed, "auth_failed"),
    (429, "Too Many Attempts.", RateLimited, "rate_limited"),
    # A validation object: a reference that is taken is no definite refusal.
    (400, {"amount": ["validation.required"]}, RequestRejected, "validation"),
    (400, {"tx_ref": ["validation.required"]}, RequestRejected, "validation"),
    (400, {"tx_ref": ["validation.unique"]}, DuplicateReference, "duplicate_reference"),
    (422, {"tx_ref": ["The tx ref has already been taken."]}, DuplicateReference, "duplicate_reference"),
    (400, {"reference": "has been used before"}, DuplicateReference, "duplicate_reference"),
    (400, {"email": ["has already been taken"]}, RequestRejected, "validation"),
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


@pytest.mark.parametrize(("status", "message", "error", "code"), REFUSED)
def test_what_refusals_mean(status: int, message: object, error: type[ProviderError], code: str) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on(INITIALIZE, (status, failed(message)))
        chapa(far.url).charge(charge_request())
    assert (type(raised.value), raised.value.code) == (error, code)
    assert "CHASECK" not in repr(raised.value) + json.dumps(raised.value.response)


def test_every_refusal_has_its_sentence() -> None:
    sentences = [str(message).lower() for _, message, _, _ in REFUSED]
    assert [part for part, _, _ in REFUSALS if not any(part in one for one in sentences)] == []


@pytest.mark.parametrize("answer", LOST)
def test_whatever_is_no_clear_answer_is_unknown(answer: object) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown) as raised:
        far.on(INITIALIZE, answer)
        chapa(far.url).charge(charge_request())
    assert type(raised.value) is OutcomeUnknown
    assert "CHASECK" not in repr(raised.value) + json.dumps(raised.value.response)


def test_refused_connection_is_definite() -> None:
    with pytest.raises(NotSent):
        chapa().charge(charge_request())


def test_verify_tells_amount_receipt_and_state() -> None:
    with Scripted() as far:
        far.on(VERIFY, (200, details()))
        result = chapa(far.url).inquire(charge_reference(None))
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
        ((200, details(status="failed", reference=None)), State.PENDING),
        ((200, details(amount="100.50")), State.SUCCEEDED),
        ((200, details(status="refunded")), State.REFUNDED),
        ((200, details(status="reversed")), State.REVERSED),
        ((200, details(status="cancelled")), State.CANCELLED),
        # The payment's status beside `data`, too.
        *[((200, details(status=word) | {"status": word}), CHARGES[word]) for word in CHARGES],
        ((200, failed("Payment not paid yet", None)), State.PENDING),
        ((200, failed("Payment not paid yet", "success") | {"data": None}), State.PENDING),
    ],
)
def test_what_verify_says(answer: object, state: State) -> None:
    with Scripted() as far:
        far.on(VERIFY, answer)
        assert chapa(far.url).inquire(charge_reference()).state is state


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
        (200, details(tx_ref="another", status="failed") | {"status": "failed"}),
        (200, details(tx_ref=None)),
        (200, details(amount=None)),
        (200, details(amount="a lot")),
        (200, details(currency="XXX")),
        (200, details(reference=None)),
        (500, failed("Payment not paid yet")),
        DROP,
    ],
)
def test_an_unclear_inquiry_is_unknown(answer: object) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown):
        far.on(VERIFY, answer)
        chapa(far.url).inquire(charge_reference())


def test_what_can_be_charged() -> None:
    chapa().check(Money(100, "ETB"), Customer())
    chapa().check(Money(100, "USD"), Customer())
    with pytest.raises(RequestRejected, match="KES"):
        chapa().check(Money(100, "KES"), Customer())


# --- taking a payment back

CANCEL = f"/transaction/cancel/{REFERENCE}"
CLOSED = succeeded(
    {"tx_ref": REFERENCE, "amount": 100.5, "currency": "ETB"}, "Checkout link expired successfully"
)
EXPIRED = failed("Payment link already expired")
UNPAID = (404, failed("Payment not paid yet", None))


@pytest.mark.parametrize(
    ("reported", "found", "state"),
    [
        ((200, CLOSED), UNPAID, State.CANCELLED),
        ((200, CLOSED), (200, details(status="cancelled")), State.CANCELLED),
        # Paid a moment before: the collected payment counts, whatever the answer about the link was.
        ((200, CLOSED), (200, details()), State.SUCCEEDED),
        ((400, EXPIRED), (200, details()), State.SUCCEEDED),
        # It cannot be paid any more. The documents do not show the refusal's HTTP status.
        ((400, EXPIRED), UNPAID, State.CANCELLED),
        ((200, EXPIRED), UNPAID, State.CANCELLED),
        # Refused for another reason: it stands as it stands.
        ((400, failed("Not now")), UNPAID, State.PENDING),
        ((404, failed("Invalid transaction or Transaction not found")),) * 2 + (State.NOT_FOUND,),
    ],
)
def test_payment_is_cancelled_unless_it_was_paid(reported: object, found: object, state: State) -> None:
    with Scripted() as far:
        far.on(CANCEL, reported).on(VERIFY, found)
        assert chapa(far.url).cancel(charge_reference(None)).state is state
        assert [one.method for one in far.asked(CANCEL)] == ["PUT"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (DROP, OutcomeUnknown),
        ((200, b"<html>"), OutcomeUnknown),
        ((500, EXPIRED | {"message": "Server Error"}), OutcomeUnknown),
        ((401, failed("Invalid API Key or User doesn't exist")), AuthFailed),
        ((429, failed("Too Many Attempts.")), RateLimited),
    ],
)
def test_unconfirmed_cancellation_is_not_a_cancellation(answer: object, error: type[ProviderError]) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on(CANCEL, answer).on(VERIFY, UNPAID)
        chapa(far.url).cancel(charge_reference(None))
    assert type(raised.value) is error
