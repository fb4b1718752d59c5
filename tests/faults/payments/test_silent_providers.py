"""Without an id to inquire by, a payment waits for a callback, a statement or an operator. The outcome is never
guessed."""

from __future__ import annotations

import pytest

from app import clock
from app.providers import PROVIDERS
from tests.faults.payments.deliveries import ipn, latest
from tests.faults.payments.expectations import NOT_RECEIVED, PAID, Expected, rules
from tests.faults.payments.facts import (
    assert_paid_once,
    declare,
    entries,
    events,
    operator,
    outcome,
    reconcile,
    refused,
)
from tests.support.gateway import Gateway

AMOUNT = 100
LOST, NEVER_ARRIVED = "answer and callback dropped", "5xx before, once"


def begin_silent(gateway: Gateway, provider: str, fault: str, *, hours: float = 1) -> str:
    gateway.sandbox.control({"rules": rules(fault, provider)})
    payment_id = gateway.begin(provider, AMOUNT)
    gateway.settle(payment_id, hours=hours)
    gateway.sandbox.control({"rules": []})
    return payment_id


@pytest.mark.parametrize(
    ("provider", "fault"),
    [("mpesa", LOST), ("mpesa", NEVER_ARRIVED), ("pesapal", "5xx before, always")],
)
def test_payment_stays_in_review_until_an_operator_decides(
    gateway: Gateway, provider: str, fault: str
) -> None:
    payment_id = begin_silent(gateway, provider, fault)
    assert outcome(gateway, payment_id).review == "no_provider_id"
    named = {"payment_id": payment_id, "reason": "no_provider_id", "provider": provider}
    assert named in reconcile(gateway, provider)["in_review"]
    assert f"no_provider_id): {payment_id}" in operator(gateway, "reconcile", "--provider", provider)
    assert gateway.post(f"/payments/{payment_id}/verify").json()["data"]["status"] == "processing"
    gateway.settle(payment_id, hours=80)
    assert outcome(gateway, payment_id).status == "processing", "time alone decides nothing"
    declare(gateway, payment_id)
    assert outcome(gateway, payment_id) == (PAID if fault == LOST else NOT_RECEIVED)
    assert payment_id not in operator(gateway, "reconcile", "--provider", provider)
    gateway.assert_ledger_matches_providers()


def test_an_operator_needs_a_receipt_and_decides_once(gateway: Gateway) -> None:
    payment_id = begin_silent(gateway, "mpesa", LOST)
    assert "receipt" in refused(gateway, "payments", "resolve", payment_id, "--paid")
    declare(gateway, payment_id)
    assert "nothing to decide" in refused(gateway, "payments", "resolve", payment_id, "--failed")
    assert entries(gateway, payment_id) == ["payment"]
    gateway.assert_ledger_matches_providers()


def test_late_callback_ends_the_review(gateway: Gateway) -> None:
    payment_id = begin_silent(gateway, "mpesa", LOST)
    assert latest(gateway, "mpesa").send().status_code == 200
    gateway.settle(payment_id, hours=1)
    assert outcome(gateway, payment_id) == PAID
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


def test_callback_after_a_wrong_declaration_goes_to_suspense(gateway: Gateway) -> None:
    """The operator looked too early and declared a failure; the money that was there all along is not dropped."""
    payment_id = begin_silent(gateway, "mpesa", LOST)
    operator(gateway, "payments", "resolve", payment_id, "--failed")
    assert latest(gateway, "mpesa").send().status_code == 200
    gateway.settle(payment_id, hours=1, until=())
    assert outcome(gateway, payment_id) == Expected("failed", 1, "late_success")
    assert entries(gateway, payment_id) == ["suspense"]
    operator(gateway, "payments", "accept-unmatched", payment_id)
    assert outcome(gateway, payment_id) == PAID
    gateway.assert_ledger_matches_providers()


def test_forged_order_id_does_not_block_the_real_callback(gateway: Gateway) -> None:
    """A notification with our reference and a foreign order id can be forged."""
    gateway.sandbox.control({"rules": rules(LOST, "pesapal")})
    payment_id = gateway.begin("pesapal", AMOUNT)
    (attempt,) = gateway.attempts(payment_id)
    invented = "00000000-1111-2222-3333-444444444444"
    assert ipn(gateway, invented, attempt.reference).send().status_code == 200
    gateway.settle(payment_id, hours=0.1)
    assert gateway.payment(payment_id)["provider_transaction_id"] != invented
    gateway.quiet()
    assert latest(gateway, "pesapal").send().status_code == 200
    gateway.settle(payment_id, hours=1)
    assert outcome(gateway, payment_id) == PAID
    gateway.assert_ledger_matches_providers()


def test_another_merchants_order_does_not_complete_ours(gateway: Gateway) -> None:
    """The order id is real and paid, but it is another payment's."""
    paid = gateway.begin("pesapal", AMOUNT)
    gateway.settle(paid)
    payment_id = begin_silent(gateway, "pesapal", "5xx before, always")
    (theirs,), (ours,) = gateway.attempts(paid), gateway.attempts(payment_id)
    assert ipn(gateway, theirs.provider_reference, ours.reference).send().status_code == 200
    gateway.settle(payment_id, hours=1, until=("completed",))
    assert outcome(gateway, payment_id).status == "processing"
    assert entries(gateway, payment_id) == []
    declare(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


# --- M-Pesa with the pull API


def test_statement_decides_between_a_callback_and_a_query(gateway_with_pull: Gateway) -> None:
    """The callback says paid, the query cancelled. Breaks when only the query is sent again."""
    wrong = {"options": {"mpesa": {"query_code": "1032"}}}
    gateway_with_pull.sandbox.control(wrong)
    payment_id = gateway_with_pull.begin("mpesa")
    gateway_with_pull.settle(payment_id, hours=0.1)
    gateway_with_pull.sandbox.control({"options": {"mpesa": {"query_code": ""}}})
    assert outcome(gateway_with_pull, payment_id) == PAID
    assert_paid_once(gateway_with_pull, payment_id)
    gateway_with_pull.assert_ledger_matches_providers()


def test_statement_finds_a_paid_charge(gateway_with_pull: Gateway) -> None:
    payment_id = begin_silent(gateway_with_pull, "mpesa", LOST)
    assert outcome(gateway_with_pull, payment_id) == PAID
    assert_paid_once(gateway_with_pull, payment_id)
    (attempt,) = gateway_with_pull.attempts(payment_id)
    assert attempt.receipt == gateway_with_pull.book(payment_id)[0]["id"]
    gateway_with_pull.assert_ledger_matches_providers()


def test_charge_missing_from_the_statement_at_the_horizon_fails(gateway_with_pull: Gateway) -> None:
    began = clock.now()
    payment_id = begin_silent(gateway_with_pull, "mpesa", NEVER_ARRIVED, hours=80)
    assert outcome(gateway_with_pull, payment_id) == NOT_RECEIVED
    assert clock.now() - began > PROVIDERS["mpesa"].capabilities.horizon
    assert entries(gateway_with_pull, payment_id) == []
    gateway_with_pull.assert_ledger_matches_providers()


def test_a_statement_that_no_longer_reaches_back_proves_nothing(gateway_with_pull: Gateway) -> None:
    """The pull API was away until the payment was too old for it: that it is not listed says nothing."""
    gateway = gateway_with_pull
    away = {"fault": "before", "provider": "mpesa", "operation": "pull"}
    gateway.sandbox.control({"rules": [*rules(LOST, "mpesa"), away]})
    payment_id = gateway.begin("mpesa", AMOUNT)
    gateway.settle(payment_id, hours=47.9)
    gateway.sandbox.control({"rules": []})
    gateway.advance(2 * 3600)
    gateway.settle(payment_id, hours=30)
    assert outcome(gateway, payment_id).status == "processing"
    assert "payment.failed" not in events(gateway, payment_id)
    assert outcome(gateway, payment_id).review is not None
    declare(gateway, payment_id)
    assert outcome(gateway, payment_id) == PAID
    gateway.assert_ledger_matches_providers()


def test_a_line_with_the_merchants_reference_leaves_the_payment_open(gateway_with_pull: Gateway) -> None:
    """It may be this payment, sent before the account had a statement. Breaks when it fails at the horizon as never received."""
    gateway = gateway_with_pull
    other = gateway.begin("mpesa", AMOUNT)
    gateway.settle(other)
    (paid,) = gateway.attempts(other)
    gateway.sandbox.control({"rules": rules(NEVER_ARRIVED, "mpesa")})
    payment_id = gateway.begin("mpesa", AMOUNT, reference=paid.short_reference)
    gateway.settle(payment_id, hours=80)
    assert outcome(gateway, payment_id).status == "processing"
    assert outcome(gateway, payment_id).review is not None
    declare(gateway, payment_id)


def test_statement_and_callback_post_once(gateway_with_pull: Gateway) -> None:
    payment_id = begin_silent(gateway_with_pull, "mpesa", LOST)
    assert latest(gateway_with_pull, "mpesa").send().status_code == 200
    gateway_with_pull.settle(payment_id, hours=1, until=())
    assert_paid_once(gateway_with_pull, payment_id)
    gateway_with_pull.assert_ledger_matches_providers()
