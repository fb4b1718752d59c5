"""Concurrent decisions about late money and refunds: in the end the ledger matches the provider."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.faults.payments.deliveries import SECRETS, latest, signed
from tests.faults.payments.facts import operator, refused
from tests.faults.payments.test_late_money import begin_late
from tests.support.gateway import Gateway


def _wallet(gateway: Gateway, currency: str) -> int:
    return gateway.balance(f"tenant:{gateway.tenant_id}:{currency}")


def _refund_in_portal(gateway: Gateway, reference: str) -> None:
    """A payment is refunded in Paystack's dashboard, and the callback about it is lost."""
    lost = {"fault": "callback_lost", "provider": "paystack", "operation": "callback"}
    gateway.sandbox.control({"rules": [lost]})
    answer = requests.post(
        f"{gateway.sandbox.url}/paystack/refund",
        json={"transaction": reference},
        headers={"Authorization": "Bearer sk_test_sandbox_paystack"},
        timeout=30,
    )
    assert answer.status_code in (200, 201), answer.text
    gateway.advance(5)
    gateway.quiet()


def test_late_money_refunded_in_the_portal_cannot_be_accepted(gateway: Gateway) -> None:
    """Breaks when `accept` does not ask: the merchant gets what the provider no longer has."""
    payment_id = begin_late(gateway, "paystack")
    (attempt,) = gateway.attempts(payment_id)
    before = _wallet(gateway, "NGN")
    _refund_in_portal(gateway, attempt.reference)
    gateway.run_due()
    assert "reversed" in refused(gateway, "payments", "accept-unmatched", payment_id)
    assert _wallet(gateway, "NGN") == before
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("failed", None)
    gateway.assert_ledger_matches_providers()


def test_late_money_can_be_accepted_while_the_provider_is_unavailable(gateway: Gateway) -> None:
    """An operator has looked; a provider that cannot be asked does not stand in the way."""
    payment_id = begin_late(gateway, "paystack")
    gateway.sandbox.control({"rules": [{"fault": "before", "provider": "paystack", "operation": "verify"}]})
    operator(gateway, "payments", "accept-unmatched", payment_id)
    assert gateway.payment(payment_id)["status"] == "completed"
    gateway.sandbox.control({"rules": []})
    gateway.assert_ledger_matches_providers()


def _open_refund(gateway: Gateway, provider: str) -> tuple[str, Any]:
    """A refund that the provider does, although its answer was lost and an operator has called it failed."""
    payment_id = gateway.begin(provider, 100)
    assert gateway.settle(payment_id)["status"] == "completed"
    rule = {"fault": "after", "provider": provider, "operation": "refund", "times": 1}
    gateway.sandbox.control(
        {"rules": [rule, {"fault": "callback_lost", "provider": provider, "operation": "callback"}]}
    )
    assert gateway.refund(payment_id, 40).status_code == 200
    (refund,) = gateway.rows("SELECT * FROM refunds WHERE payment_id = :id", id=payment_id)
    assert refund.state == "unknown"
    operator(gateway, "payments", "resolve-refund", refund.id, "--failed")
    gateway.sandbox.control({"rules": []})
    return payment_id, refund


@pytest.mark.parametrize("provider", ["stripe", "chapa", "paystack"])
def test_refund_declared_failed_but_made_needs_review(gateway: Gateway, provider: str) -> None:
    """Breaks when a callback about a final refund is dropped: the merchant could spend money that the customer
    received."""
    payment_id, _ = _open_refund(gateway, provider)
    gateway.advance(5)
    gateway.quiet()
    assert latest(gateway, provider).send().status_code == 200
    gateway.run_due()
    gateway.advance(5)
    gateway.run_due()
    found = gateway.payment(payment_id)
    if found["refunded_amount"] != "40.00":
        assert found["review"] == "refunded_at_provider", found
        made = gateway.sandbox.book(provider)["entries"][-1]
        operator(gateway, "payments", "record-refund", payment_id, "40", "--reference", made["id"])
    gateway.assert_ledger_matches_providers()


def test_two_refunds_cannot_be_declared_the_same(gateway: Gateway) -> None:
    """A callback about another payment's refund does not end a refund of this one."""
    first = gateway.begin("stripe", 100)
    second = gateway.begin("stripe", 100)
    for payment_id in (first, second):
        assert gateway.settle(payment_id)["status"] == "completed"
    rule = {"fault": "before", "provider": "stripe", "operation": "refund", "times": 1}
    gateway.sandbox.control({"rules": [rule]})
    assert gateway.refund(first, 40).status_code == 200
    assert gateway.refund(second, 40).status_code == 200
    done = gateway.rows("SELECT * FROM refunds WHERE payment_id = :id", id=second)[0]
    attempt = gateway.attempts(first)[0]
    thing = {
        "id": done.provider_reference,
        "object": "refund",
        "status": "succeeded",
        "amount": 4000,
        "currency": "usd",
        "payment_intent": attempt.receipt,
        "metadata": {
            "reference": gateway.rows("SELECT reference FROM refunds WHERE payment_id = :id", id=first)[
                0
            ].reference
        },
    }
    callback = {"id": "evt_crossed", "object": "event", "type": "refund.updated", "data": {"object": thing}}
    assert signed(gateway, "stripe", callback, secret=SECRETS["stripe"]).send().status_code == 200
    gateway.run_due()
    (open_refund,) = gateway.rows("SELECT state FROM refunds WHERE payment_id = :id", id=first)
    assert open_refund.state == "unknown"
    gateway.settle(first, until=(), hours=30)
    gateway.assert_ledger_matches_providers()


def test_late_money_that_may_be_partly_refunded_needs_review(gateway: Gateway) -> None:
    """Pesapal's status word is the same for a partial and a full refund: nothing is posted for it, and nothing is
    credited to the merchant."""
    payment_id = begin_late(gateway, "pesapal")
    (attempt,) = gateway.attempts(payment_id)
    suspense = f"suspense:{gateway.tenant_id}:KES"
    before = gateway.balance(suspense)
    url = f"{gateway.sandbox.url}/pesapal/api"
    keys = {
        "consumer_key": "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW",
        "consumer_secret": "osGQ364R49cXKeOYSpaOnT++rHs=",
    }
    token = requests.post(f"{url}/Auth/RequestToken", json=keys, timeout=30).json()["token"]
    lost = {"fault": "callback_lost", "provider": "pesapal", "operation": "callback"}
    gateway.sandbox.control({"rules": [lost]})
    body = {"confirmation_code": attempt.receipt, "amount": 100, "username": "amina", "remarks": "dashboard"}
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{url}/Transactions/RefundRequest", json=body, headers=headers, timeout=30)
    assert answer.json()["status"] == "200", answer.text
    gateway.advance(60)
    gateway.quiet()
    assert "dashboard" in refused(gateway, "payments", "accept-unmatched", payment_id)
    assert gateway.balance(suspense) == before
    assert gateway.payment(payment_id)["review"] == "late_success"
    operator(gateway, "payments", "record-reversal", payment_id)
    assert gateway.payment(payment_id)["review"] is None
    gateway.assert_ledger_matches_providers()
