"""The Paystack adapter without Paystack: refunds and transfers."""

from __future__ import annotations

import json

import pytest

from app import clock
from app.money import Money
from app.providers.base import (
    ChargeReference,
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
    NotSent,
    OutcomeUnknown,
    RequestRejected,
    UnclearAnswer,
)
from app.providers.paystack import Paystack
from app.providers.paystack.payouts import recipient_body
from tests.support.paystack import REFERENCE, ok, paystack, refused
from tests.support.providers import DROP, Scripted

TRANSFER_VERIFY = f"/transfer/verify/{REFERENCE}"


def charge() -> ChargeReference:
    return ChargeReference("charge-1", "A1B2C3", Money(30050, "NGN"), clock.now(), receipt="4099260516")


def refund_request() -> RefundRequest:
    return RefundRequest("refund-1", Money(10000, "NGN"), charge(), "Too blue", "http://127.0.0.1:1/r")


def refund_reference(provider_reference: str | None = "3018284") -> RefundReference:
    return RefundReference("refund-1", Money(10000, "NGN"), charge(), clock.now(), provider_reference)


def refund_data(**instead: object) -> dict:
    data = {
        "id": 3018284,
        "status": "pending",
        "amount": 10000,
        "currency": "NGN",
        "merchant_note": "refund-1",
    }
    return data | {"transaction": {"id": 4099260516}} | instead


def payout(method: PayoutMethod, currency: str, **destination: str) -> PayoutRequest:
    return PayoutRequest(REFERENCE, Money(50000, currency), method, destination)


MPESA = payout(PayoutMethod.MPESA, "KES", phone_number="254712345678")


# --- refunds


def test_what_is_sent_to_refund() -> None:
    with Scripted() as far:
        far.on("/refund", ok(refund_data()))
        result = paystack(far.url).refund(refund_request())
        assert far.asked("/refund")[0].json == {
            "transaction": "charge-1",
            "amount": 10000,
            "currency": "NGN",
            "customer_note": "Too blue",
            "merchant_note": "refund-1",
        }
    assert (result.state, result.provider_reference, result.amount) == (
        State.PENDING,
        "3018284",
        Money(10000, "NGN"),
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused("Transaction has been fully reversed"), Declined),
        (refused("Insufficient balance to fulfill this refund. Please top up."), Declined),
        (refused("Transaction not found", "transaction_not_found", http=404), RequestRejected),
        (refused("Invalid key", http=401), AuthFailed),
        (refused("The bank is away", type_="processor_error"), OutcomeUnknown),
        (refused("Later", http=503), OutcomeUnknown),
        (ok(refund_data(id=None)), OutcomeUnknown),
        (ok(refund_data(status="pondered")), UnclearAnswer),
        (ok(refund_data(status="processed", amount=None)), OutcomeUnknown),
        (DROP, OutcomeUnknown),
    ],
)
def test_what_answers_to_a_refund_mean(answer: object, error: type[Exception]) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on("/refund", answer)
        paystack(far.url).refund(refund_request())
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("word", "state"),
    [("processed", State.SUCCEEDED), ("needs-attention", State.PENDING), ("failed", State.FAILED)],
)
def test_a_refund_s_state(word: str, state: State) -> None:
    with Scripted() as far:
        far.on("/refund/3018284", ok(refund_data(status=word, transaction=4099260516, amount="10000")))
        result = paystack(far.url).inquire_refund(refund_reference())
    assert (result.state, result.amount) == (state, Money(10000, "NGN"))
    assert (result.message is None) == (state is State.SUCCEEDED)


@pytest.mark.parametrize(
    "answer", [ok(refund_data(id=7)), refused("Refund not found", http=404), ok([]), (500, {"status": False})]
)
def test_an_unclear_refund_inquiry_is_unknown(answer: object) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown):
        far.on("/refund/3018284", answer)
        paystack(far.url).inquire_refund(refund_reference())


def test_a_refund_whose_id_was_lost_is_found_by_its_note() -> None:
    others = [refund_data(id=number, merchant_note="another") for number in range(100)]
    with Scripted() as far:
        far.on("/refund", ok(others), ok([*others[:3], refund_data(status="processed")]))
        result = paystack(far.url).inquire_refund(refund_reference(None))
        asked = [request.query for request in far.asked("/refund")]
    assert (result.state, result.provider_reference) == (State.SUCCEEDED, "3018284")
    assert [query["page"] for query in asked] == ["1", "2"]
    assert {query["transaction"] for query in asked} == {"4099260516"}


@pytest.mark.parametrize(
    "listed",
    [
        ok([]),
        ok([refund_data(merchant_note=None)]),
        ok([refund_data(), refund_data(id=2)]),
        ok(None),
        ok([1]),
    ],
)
def test_a_list_without_the_refund_proves_nothing(listed: object) -> None:
    with Scripted() as far, pytest.raises(OutcomeUnknown):
        far.on("/refund", listed)
        paystack(far.url).inquire_refund(refund_reference(None))


# --- transfers


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            MPESA,
            {
                "type": "mobile_money",
                "bank_code": "MPESA",
                "account_number": "0712345678",
                "currency": "KES",
                "name": "0712345678",
            },
        ),
        (
            payout(PayoutMethod.TILL, "KES", till_number="247247"),
            {
                "type": "mobile_money_business",
                "bank_code": "MPTILL",
                "account_number": "247247",
                "currency": "KES",
                "name": "247247",
            },
        ),
        *(
            (
                payout(
                    PayoutMethod.BANK,
                    currency,
                    account_number="0001234567",
                    bank_code="058",
                    account_name="Ada",
                ),
                {
                    "type": kind,
                    "bank_code": "058",
                    "account_number": "0001234567",
                    "currency": currency,
                    "name": "Ada",
                },
            )
            for currency, kind in (("NGN", "nuban"), ("KES", "kepss"), ("GHS", "ghipss"), ("ZAR", "basa"))
        ),
    ],
)
def test_recipients(request_: PayoutRequest, expected: dict) -> None:
    assert recipient_body(request_, kes_bank_type="kepss") == expected
    assert request_.amount.currency in Paystack.capabilities.payouts[request_.method]
    is_kenyan_bank = expected["type"] == "kepss"
    renamed = recipient_body(request_, kes_bank_type="other")
    assert renamed == expected | ({"type": "other"} if is_kenyan_bank else {})


@pytest.mark.parametrize(
    "request_",
    [
        payout(PayoutMethod.MPESA, "NGN", phone_number="254712345678"),
        payout(PayoutMethod.MPESA, "KES", phone_number="+255712345678"),
        payout(PayoutMethod.MPESA, "KES"),
        payout(PayoutMethod.BANK, "USD", account_number="1", bank_code="1"),
        payout(PayoutMethod.BANK, "NGN", account_number="1"),
    ],
)
def test_destinations_paystack_cannot_reach_are_not_sent(request_: PayoutRequest) -> None:
    with pytest.raises(RequestRejected):
        paystack().pay_out(request_)


def transfer_data(**instead: object) -> dict:
    data = {
        "transfer_code": "TRF_1",
        "status": "pending",
        "reference": REFERENCE,
        "id": 860703114,
        "amount": 50000,
    }
    return data | {"currency": "KES", "recipient": {"details": {"account_number": "0712345678"}}} | instead


def test_a_transfer_goes_to_a_recipient() -> None:
    with Scripted() as far:
        far.on("/transferrecipient", (201, ok({"recipient_code": "RCP_1"})[1]))
        far.on("/transfer", ok(transfer_data(status="otp")))
        result = paystack(far.url).pay_out(MPESA)
        assert far.asked("/transfer")[0].json == {
            "source": "balance",
            "amount": 50000,
            "currency": "KES",
            "recipient": "RCP_1",
            "reference": REFERENCE,
            "reason": "Payout",
        }
    assert (result.state, result.provider_reference, result.code) == (State.PENDING, "TRF_1", "otp")
    assert result.message is not None
    assert "0712345678" not in json.dumps(dict(result.response))


@pytest.mark.parametrize("answer", [DROP, (500, b""), ok({}), ok(None)])
def test_without_a_recipient_nothing_was_sent(answer: object) -> None:
    with Scripted() as far:
        far.on("/transferrecipient", answer)
        with pytest.raises(NotSent, match="no transfer was sent"):
            paystack(far.url).pay_out(MPESA)
        assert far.asked("/transfer") == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            refused("Please provide a unique reference. Reference already exists on a transfer"),
            DuplicateReference,
        ),
        (
            refused("Your balance is not enough to fulfil this request", "insufficient_balance", "api_error"),
            Declined,
        ),
        (refused("Recipient specified is invalid", "invalid_transfer_recipient"), RequestRejected),
        (refused("System Malfunction", type_="processor_error"), OutcomeUnknown),
        (ok(transfer_data(reference="another")), OutcomeUnknown),
        (ok(transfer_data(status="blocked")), UnclearAnswer),
        (ok(transfer_data(status="success", amount=None)), OutcomeUnknown),
        ((504, b""), OutcomeUnknown),
        (DROP, OutcomeUnknown),
    ],
)
def test_what_answers_to_a_transfer_mean(answer: object, error: type[Exception]) -> None:
    with Scripted() as far, pytest.raises(error) as raised:
        far.on("/transferrecipient", ok({"recipient_code": "RCP_1"}))
        far.on("/transfer", answer)
        paystack(far.url).pay_out(MPESA)
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (ok(transfer_data(status="success")), State.SUCCEEDED),
        (ok(transfer_data(status="failed")), State.FAILED),
        (ok(transfer_data(status="reversed")), State.REVERSED),
        (refused("Transfer not found", http=404), State.NOT_FOUND),
    ],
)
def test_a_transfer_s_state(answer: object, state: State) -> None:
    with Scripted() as far:
        far.on(TRANSFER_VERIFY, answer)
        charge_reference = PayoutReference(REFERENCE, Money(50000, "KES"), PayoutMethod.MPESA, clock.now())
        assert paystack(far.url).inquire_payout(charge_reference).state is state
