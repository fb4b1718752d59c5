"""The Chapa adapter without Chapa: what is sent for refunds and transfers, and what the answers mean."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from app import clock
from app.money import Money
from app.providers.base import (
    PayoutMethod,
    PayoutReference,
    PayoutRequest,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.errors import (
    AuthFailed,
    Declined,
    DuplicateReference,
    OutcomeUnknown,
    ReceiptMissing,
    RequestRejected,
    UnclearAnswer,
)
from tests.support.chapa import REFERENCE, chapa, charge_reference, failed, payout_request, succeeded
from tests.support.providers import DROP, Scripted

# --- refunds and payouts


def refund_data(**instead: object) -> dict:
    """The older documents' first answer."""
    data = {
        "ref": "MERC-DIS-REF-1",
        "amount": "50.00",
        "currency": "ETB",
        "status": "Refund Initiated",
        "merchant_reference": "refund-1",
        "chapa_reference": "6jnheVKQEmy",
        "bank_reference": None,
    }
    return succeeded(data | instead, "Refund initiated successfully.")


def newer_data(**instead: object) -> dict:
    """Today's documents' answer, to the refund and to verify."""
    data = {
        "ref_id": "MERC-DIS-REF-1",
        "amount": 50,
        "currency": "ETB",
        "status": "initiated",
        "payment_reference": "CGRMuqd8ECClEiS",
    }
    return succeeded(data | instead, "Refund verified successfully")


def refund_request(receipt: str | None = "6jnheVKQEmy") -> RefundRequest:
    return RefundRequest(
        "refund-1", Money(5000, "ETB"), charge_reference(receipt), "Too blue!", "http://127.0.0.1:1/r"
    )


@pytest.mark.parametrize(
    ("by", "path"), [("reference", "/refund/6jnheVKQEmy"), ("tx_ref", f"/refund/{REFERENCE}")]
)
def test_a_refund_names_the_payment_as_set(by: str, path: str) -> None:
    """And may be sent as JSON."""
    for answer in (refund_data(), newer_data()):
        with Scripted() as far:
            far.on(path, (200, answer))
            result = chapa(far.url, refund_by=by, refund_encoding="json").refund(refund_request())
            assert far.asked(path)[0].json == {
                "amount": "50.00",
                "reason": "Too blue",
                "reference": "refund-1",
            }
        assert (result.state, result.provider_reference, result.amount) == (
            State.PENDING,
            "MERC-DIS-REF-1",
            Money(5000, "ETB"),
        )


@pytest.mark.parametrize("named", [REFERENCE, "6jnheVKQEmy"], ids=["our tx_ref", "Chapa's reference"])
def test_a_refund_is_sent_as_a_form_and_may_be_answered_without_its_status(named: str) -> None:
    """As every sample of Chapa's has it. `tx_ref` in the answer is what the request named the payment by, or ours."""
    accepted = succeeded({"tx_ref": named, "amount": "100"}, "Refund queued")
    with Scripted() as far:
        far.on("/refund/6jnheVKQEmy", (200, accepted))
        result = chapa(far.url).refund(refund_request())
        (sent,) = far.asked("/refund/6jnheVKQEmy")
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(sent.body.decode()) == {
        "amount": ["50.00"],
        "reason": ["Too blue"],
        "reference": ["refund-1"],
    }
    assert (result.state, result.provider_reference) == (State.PENDING, None)


def test_a_refund_without_a_receipt_is_not_sent() -> None:
    with pytest.raises(ReceiptMissing):
        chapa().refund(refund_request(None))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, failed("The reference number has been used before")), DuplicateReference),
        ((400, failed("Insufficient Balance")), Declined),
        ((400, failed("Partial refunds are not allowed")), RequestRejected),
        ((200, refund_data(ref=None)), OutcomeUnknown),
        ((200, newer_data(ref_id=None)), OutcomeUnknown),
        ((200, newer_data(status="reversed")), UnclearAnswer),
        ((200, refund_data(status="Refund Pondered")), UnclearAnswer),
        ((200, refund_data(merchant_reference="refund-2")), OutcomeUnknown),
        ((200, succeeded({"tx_ref": "another", "amount": "50"}, "Refund queued")), OutcomeUnknown),
        ((200, succeeded({"amount": "50"}, "Refund queued")), OutcomeUnknown),
        ((503, failed("Busy")), OutcomeUnknown),
    ],
)
def test_what_answers_to_a_refund_mean(answer: object, error: type[Exception]) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on("/refund/6jnheVKQEmy", answer)
        chapa(far.url).refund(refund_request())
    assert type(raised.value) is error


def test_a_refund_whose_id_was_lost_is_asked_for_by_our_reference() -> None:
    lost = RefundReference("refund-1", Money(5000, "ETB"), charge_reference(), clock.now())
    path = "/refund/refund-1/verify"
    with Scripted() as far:
        far.on(path, (200, refund_data(status="refunded")))
        result = chapa(far.url).inquire_refund(lost)
        assert (result.state, result.provider_reference) == (State.SUCCEEDED, "MERC-DIS-REF-1")
        for answer in ((200, refund_data(merchant_reference=None)), (404, failed("Refund not found"))):
            far.on(path, answer)
            with pytest.raises(OutcomeUnknown):
                chapa(far.url).inquire_refund(lost)


KNOWN = RefundReference("refund-1", Money(5000, "ETB"), charge_reference(), clock.now(), "MERC-DIS-REF-1")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("initiated", State.PENDING),
        ("processing", State.PENDING),
        ("refunded", State.SUCCEEDED),
        ("Refund Initiated", State.PENDING),
        ("failed", State.FAILED),
    ],
)
def test_a_refund_is_asked_for_by_chapas_id(word: str, state: State) -> None:
    with Scripted() as far:
        far.on("/refund/MERC-DIS-REF-1/verify", (200, newer_data(status=word)))
        result = chapa(far.url).inquire_refund(KNOWN)
    assert (result.state, result.amount) == (state, Money(5000, "ETB"))
    assert result.provider_reference == "MERC-DIS-REF-1"


@pytest.mark.parametrize(
    "answer",
    [
        newer_data(status="refunded", ref_id="MERC-DIS-REF-2"),
        refund_data(status="refunded", ref="MERC-DIS-REF-2"),
        newer_data(status="refunded", merchant_reference="refund-2"),
        newer_data(status="refunded", amount=None),
        newer_data(status="reversed"),
    ],
)
def test_an_answer_about_another_refund_is_not_believed(answer: dict) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown):
        far.on("/refund/MERC-DIS-REF-1/verify", (200, answer))
        chapa(far.url).inquire_refund(KNOWN)


def test_what_is_sent_to_transfers() -> None:
    with Scripted() as far:
        queued = {"message": "Transfer Queued Successfully", "status": "success", "data": REFERENCE}
        far.on("/transfers", (200, queued))
        result = chapa(far.url).pay_out(payout_request())
        assert far.asked("/transfers")[0].json == {
            "account_name": "Abebe Kebede",
            "account_number": "1000123456789",
            "bank_code": 946,
            "amount": "2000.00",
            "currency": "ETB",
            "reference": REFERENCE,
        }
    assert (result.state, result.provider_reference) == (State.PENDING, REFERENCE)


def test_a_transfer_may_be_answered_with_an_object() -> None:
    with Scripted() as far:
        far.on("/transfers", (200, succeeded({"id": 123, "reference": REFERENCE, "status": "pending"})))
        result = chapa(far.url).pay_out(payout_request())
    assert (result.state, result.provider_reference) == (State.PENDING, REFERENCE)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, failed("Insufficient Balance")), Declined),
        ((400, failed("The reference number has been used before")), DuplicateReference),
        ((401, failed("The Bank Code is incorrect please check")), RequestRejected),
        ((401, failed("Invalid API Key or User doesn't exist")), AuthFailed),
        (
            (200, {"message": "Transfer Queued Successfully", "status": "success", "data": {"id": 1}}),
            OutcomeUnknown,
        ),
        ((504, b""), OutcomeUnknown),
        (DROP, OutcomeUnknown),
    ],
)
def test_what_answers_to_a_transfer_mean(answer: object, error: type[Exception]) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on("/transfers", answer)
        chapa(far.url).pay_out(payout_request())
    assert type(raised.value) is error


@pytest.mark.parametrize(
    "request_",
    [payout_request(PayoutMethod.MPESA), payout_request(bank_code=""), payout_request(bank_code="CBE")],
)
def test_a_payout_chapa_cannot_make_is_not_sent(request_: PayoutRequest) -> None:
    with pytest.raises(RequestRejected):
        chapa().pay_out(request_)


@pytest.mark.parametrize(
    ("word", "state"),
    [("success", State.SUCCEEDED), ("pending", State.PENDING), ("failed/cancelled", State.FAILED)],
)
def test_what_a_transfer_s_state_says(word: str, state: State) -> None:
    data = {
        "status": word,
        "tx_ref": REFERENCE,
        "amount": 2000,
        "currency": "ETB",
        "account_number": "1000123456789",
    }
    with Scripted() as far:
        far.on(f"/transfers/verify/{REFERENCE}", (200, {"message": "ok", "status": "success", "data": data}))
        payout = PayoutReference(
            REFERENCE, Money(200000, "ETB"), PayoutMethod.BANK, clock.now() - timedelta(hours=1)
        )
        result = chapa(far.url).inquire_payout(payout)
    assert (result.state, result.amount) == (state, Money(200000, "ETB"))
    assert "1000123456789" not in json.dumps(dict(result.response))
