"""A callback that is vouched for says one thing about a payment, the provider's answer another: neither ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from app import clock
from tests.faults.payments.deliveries import Delivery, latest, receipt_of
from tests.faults.payments.expectations import PAID, Expected
from tests.faults.payments.facts import assert_paid_once, entries, events, operator, outcome
from tests.support.gateway import Gateway

OPTION = {
    "mpesa": "query_code",
    "stripe": "session_status",
    "paystack": "verify_status",
    "chapa": "verify_status",
}
UNPAID = {"mpesa": "1032", "stripe": "expired", "paystack": "failed", "chapa": "cancelled"}
"""Provider → what its simulator answers about a payment that was paid. To Paystack a failed try is no end."""

CONTESTED = Expected("processing", 1, "contradicting_answers")


def answer(gateway: Gateway, provider: str, word: str) -> None:
    gateway.sandbox.control({"options": {provider: {OPTION[provider]: word}}})


@pytest.fixture(autouse=True)
def _true_answers(gateway: Gateway) -> Iterator[None]:
    yield
    for provider in OPTION:
        answer(gateway, provider, "")


def contested(gateway: Gateway, provider: str) -> str:
    """Paid, as the callback says; the provider answers that it was not. M-Pesa cannot be asked about the receipt."""
    answer(gateway, provider, UNPAID[provider])
    gateway.sandbox.control({"rules": [{"fault": "before", "provider": "mpesa", "operation": "status"}]})
    payment_id = gateway.begin(provider)
    gateway.settle(payment_id, hours=0.3)
    return payment_id


@pytest.mark.parametrize("provider", OPTION)
def test_a_paid_callback_against_an_unpaid_answer(gateway: Gateway, provider: str) -> None:
    """Breaks when the answer ends the payment and the receipt is dropped, or when its age does."""
    payment_id = contested(gateway, provider)
    assert outcome(gateway, payment_id) == CONTESTED
    (attempt,) = gateway.attempts(payment_id)
    assert attempt.receipt and attempt.error_code == "reported_paid"
    clock.travel(timedelta(hours=50))
    gateway.run_due()
    assert outcome(gateway, payment_id) == CONTESTED
    assert not {"payment.failed", "payment.cancelled"} & set(events(gateway, payment_id))
    answer(gateway, provider, "")
    assert gateway.post(f"/payments/{payment_id}/verify").status_code == 200
    assert outcome(gateway, payment_id) == PAID
    assert_paid_once(gateway, payment_id)
    assert gateway.attempts(payment_id)[0].receipt == attempt.receipt
    gateway.assert_ledger_matches_providers()


def test_mpesa_is_asked_about_the_receipt(gateway: Gateway) -> None:
    """The status of the transaction, by the receipt that was kept, decides without an operator."""
    answer(gateway, "mpesa", "1032")
    payment_id = gateway.begin("mpesa")
    gateway.settle(payment_id, hours=0.1)
    assert outcome(gateway, payment_id) == PAID
    assert_paid_once(gateway, payment_id)
    assert "payment.review" in events(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


def test_an_answer_to_a_question_that_was_not_asked(gateway: Gateway) -> None:
    """Whoever knows the payment's secret URL does not know the id of our query. Breaks when any such message counts."""
    payment_id = contested(gateway, "mpesa")
    paid = latest(gateway, "mpesa")
    parameters = {"ReceiptNo": receipt_of(paid), "TransactionStatus": "Completed", "Amount": 100}
    listed = [{"Key": key, "Value": value} for key, value in parameters.items()]
    result = {"ResultType": 0, "ResultCode": 0, "ResultDesc": "Done", "ConversationID": "AG_invented"}
    body = {"Result": {**result, "ResultParameters": {"ResultParameter": listed}}}
    forged = Delivery(f"{paid.url}?notice=payment-status", body=json.dumps(body).encode())
    assert forged.send().status_code == 200
    gateway.run_due()
    assert outcome(gateway, payment_id) == CONTESTED


def test_an_unpaid_callback_against_a_paid_answer(gateway: Gateway) -> None:
    """Breaks when the query alone completes a payment that the customer has cancelled."""
    answer(gateway, "mpesa", "0")
    payment_id = gateway.begin("mpesa", 7102)
    gateway.settle(payment_id, hours=0.3)
    assert outcome(gateway, payment_id) == Expected("processing", 0, "contradicting_answers")
    assert entries(gateway, payment_id) == []
    answer(gateway, "mpesa", "")
    assert gateway.post(f"/payments/{payment_id}/verify").status_code == 200
    assert outcome(gateway, payment_id) == Expected("cancelled", 0)


def test_a_later_callback_that_agrees_with_the_answer(gateway: Gateway) -> None:
    """The customer has cancelled, and the claim that it was paid was the older one: both say so now."""
    payment_id = contested(gateway, "mpesa")
    paid = latest(gateway, "mpesa")
    cancelled = paid.body.replace(b'"ResultCode": 0', b'"ResultCode": 1032').replace(
        b'"ResultCode":0', b'"ResultCode":1032'
    )
    assert cancelled != paid.body
    assert paid.__class__(paid.url, body=cancelled).send().status_code == 200
    gateway.run_due()
    assert outcome(gateway, payment_id) == Expected("cancelled", 1)
    operator(gateway, "payments", "resolve", payment_id, "--paid", "--receipt", receipt_of(paid))
    operator(gateway, "payments", "accept-unmatched", payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize(("word", "status"), [("--paid", "completed"), ("--failed", "failed")])
def test_an_operator_decides(gateway: Gateway, word: str, status: str) -> None:
    payment_id = contested(gateway, "mpesa")
    receipt = ["--receipt", receipt_of(latest(gateway, "mpesa"))] if word == "--paid" else []
    operator(gateway, "payments", "resolve", payment_id, word, *receipt)
    assert outcome(gateway, payment_id) == Expected(status, 1)
    if word == "--failed":  # the provider has the money: the dashboard was read wrongly
        receipt = ["--receipt", receipt_of(latest(gateway, "mpesa"))]
        operator(gateway, "payments", "resolve", payment_id, "--paid", *receipt)
        operator(gateway, "payments", "accept-unmatched", payment_id)
    gateway.assert_ledger_matches_providers()


def test_a_callback_against_a_payment_that_has_ended(gateway: Gateway) -> None:
    """The query ended it before the callback came. Breaks when the receipt is dropped without a review."""
    answer(gateway, "mpesa", "1032")
    lost = {"fault": "callback_lost", "provider": "mpesa", "operation": "stkpush", "times": 1}
    gateway.sandbox.control({"rules": [lost]})
    payment_id = gateway.begin("mpesa")
    assert gateway.settle(payment_id)["status"] == "cancelled"
    paid = latest(gateway, "mpesa")
    assert paid.send().status_code == 200
    gateway.run_due()
    assert outcome(gateway, payment_id) == Expected("cancelled", 1, "contradicting_answers")
    assert gateway.attempts(payment_id)[0].receipt == receipt_of(paid)
    answer(gateway, "mpesa", "")
    operator(gateway, "payments", "resolve", payment_id, "--paid", "--receipt", receipt_of(paid))
    operator(gateway, "payments", "accept-unmatched", payment_id)
    assert outcome(gateway, payment_id) == PAID
    gateway.assert_ledger_matches_providers()
