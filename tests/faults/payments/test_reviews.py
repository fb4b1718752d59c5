"""A payment in review stays listed until an operator has decided; customers can neither cause nor hide a review."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from app.services.operator import reconciliation
from tests.faults.payments.deliveries import SECRETS, posted, signed
from tests.faults.payments.facts import operator, refused
from tests.support.gateway import Gateway


def _paid(gateway: Gateway, provider: str) -> tuple[str, Any]:
    payment_id = gateway.begin(provider, 100)
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id, gateway.attempts(payment_id)[0]


def _dispute(gateway: Gateway, attempt: Any) -> None:
    callback = {
        "id": f"evt_{secrets.token_hex(8)}",
        "object": "event",
        "type": "charge.dispute.created",
        "data": {"object": {"id": "dp_1", "object": "dispute", "payment_intent": attempt.receipt}},
    }
    assert signed(gateway, "stripe", callback, secret=SECRETS["stripe"]).send().status_code == 200
    gateway.run_due()


@pytest.mark.parametrize("fault", ["before", "after"])
def test_refund_does_not_hide_a_dispute(gateway: Gateway, fault: str) -> None:
    """Breaks when the refund's lost answer replaces the dispute as the review's reason and is then resolved: the
    dispute is missed."""
    payment_id, attempt = _paid(gateway, "stripe")
    _dispute(gateway, attempt)
    assert gateway.payment(payment_id)["review"] == "dispute"
    rules = [
        {"fault": fault, "provider": "stripe", "operation": "refund", "times": 1},
        # The alert stays silent for an hour.
        {"fault": "before", "provider": "stripe", "operation": "refund_list"},
    ]
    gateway.sandbox.control({"rules": rules[:1]})
    assert gateway.refund(payment_id, 40).status_code == 200
    with gateway.app.app_context():
        (refund,) = gateway.rows("SELECT id FROM refunds WHERE payment_id = :id", id=payment_id)
        from app.services.refunds import follow_up as refund_follow_up

        refund_follow_up.report_failing(refund.id, "an hour without an answer")
    gateway.sandbox.control({"rules": []})
    gateway.settle(payment_id, until=(), hours=30)
    assert gateway.rows("SELECT state FROM refunds WHERE payment_id = :id", id=payment_id)[0].state in (
        "completed",
        "failed",
    )
    assert gateway.payment(payment_id)["review"] == "dispute"
    operator(gateway, "payments", "close-review", payment_id)
    assert gateway.payment(payment_id)["review"] is None


def test_open_payment_cannot_be_marked_reviewed(gateway: Gateway) -> None:
    """Breaks when `reviewed` removes an open payment from the list: no job follows it up any more."""
    gateway.sandbox.control({"rules": [{"fault": "before", "provider": "pesapal", "operation": "order"}]})
    payment_id = gateway.begin("pesapal", 100)
    found = gateway.settle(payment_id, hours=30)
    assert (found["status"], found["review"]) == ("processing", "no_provider_id")
    assert "resolve" in refused(gateway, "payments", "close-review", payment_id)
    assert gateway.payment(payment_id)["review"] == "no_provider_id"
    operator(gateway, "payments", "resolve", payment_id, "--failed")
    assert gateway.payment(payment_id)["review"] is None


def test_open_refund_cannot_be_marked_reviewed(gateway: Gateway) -> None:
    payment_id, _ = _paid(gateway, "pesapal")
    gateway.sandbox.control({"rules": [{"fault": "before", "provider": "pesapal", "operation": "refund"}]})
    assert gateway.refund(payment_id).status_code == 200
    gateway.settle(payment_id, until=(), hours=1)
    assert gateway.payment(payment_id)["review"] == "refund_unknown"
    assert "resolve-refund" in refused(gateway, "payments", "close-review", payment_id)
    (refund,) = gateway.rows("SELECT id FROM refunds WHERE payment_id = :id", id=payment_id)
    operator(gateway, "payments", "resolve-refund", refund.id, "--failed")
    assert gateway.payment(payment_id)["review"] is None
    gateway.assert_ledger_matches_providers()


def test_customer_cannot_cause_a_review(gateway: Gateway) -> None:
    """Breaks when an unsigned note is believed: the customer knows the receipt, and can write the rest."""
    payment_id, attempt = _paid(gateway, "mpesa")
    assert attempt.receipt
    body = {
        "Result": {
            "ResultType": 0,
            "ResultCode": 0,
            "ResultDesc": "ok",
            "OriginatorConversationID": "of-the-customer",
            "ConversationID": attempt.receipt,
            "TransactionID": "INVENTED01",
        }
    }
    note = posted(gateway, "mpesa", body)
    assert note.to(f"{note.url}?notice=refund").send().status_code == 200
    gateway.run_due()
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("completed", None)
    with gateway.app.app_context():
        assert payment_id not in {str(review.payment_id) for review in reconciliation.reconcile().in_review}
