"""Disputes need review. A callback about a refund is only a reason to read the provider's list: see
test_external_refunds.py."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.faults.payments.deliveries import SECRETS, signed
from tests.faults.payments.facts import operator, refused
from tests.support.gateway import Gateway


def _paid(gateway: Gateway, provider: str) -> tuple[str, Any]:
    payment_id = gateway.begin(provider, 100)
    assert gateway.settle(payment_id)["status"] == "completed"
    return payment_id, gateway.attempts(payment_id)[0]


def _callback_body(provider: str, attempt: Any, *, kind: str) -> dict[str, Any]:
    """A callback about a change that was made outside the gateway."""
    if provider == "stripe":
        answers = {
            "dispute": ("charge.dispute.created", {"id": "dp_1", "object": "dispute"}),
            "refund": ("charge.refunded", {"id": "ch_1", "object": "charge", "metadata": {}}),
        }
        event_type, thing = answers[kind]
        return {
            "id": f"evt_{secrets.token_hex(8)}",
            "object": "event",
            "type": event_type,
            "data": {"object": thing | {"payment_intent": attempt.receipt}},
        }
    if kind == "dispute":
        data: dict[str, Any] = {"id": 9, "status": "pending", "transaction": {"reference": attempt.reference}}
        return {"event": "charge.dispute.create", "data": data}
    data = {
        "status": "processed",
        "transaction_reference": attempt.reference,
        "refund_reference": "R-1",
        "amount": "10000",
        "currency": "NGN",
    }
    return {"event": "refund.processed", "data": data}


@pytest.mark.parametrize("provider", ["stripe", "paystack"])
def test_dispute_needs_review(gateway: Gateway, provider: str) -> None:
    """Breaks when such a callback is ignored and the merchant keeps money that the provider has taken."""
    payment_id, attempt = _paid(gateway, provider)
    answer = signed(
        gateway, provider, _callback_body(provider, attempt, kind="dispute"), secret=SECRETS[provider]
    ).send()
    assert answer.status_code == 200
    gateway.run_due()
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("completed", "dispute")
    operator(gateway, "payments", "close-review", payment_id)
    assert gateway.payment(payment_id)["review"] is None
    refused(gateway, "payments", "close-review", payment_id)


@pytest.mark.parametrize("provider", ["stripe", "paystack"])
def test_callback_about_a_nonexistent_refund_posts_nothing(gateway: Gateway, provider: str) -> None:
    """Even a signed callback is only a reason to read the provider's list. Breaks when the callback itself is applied."""
    payment_id, attempt = _paid(gateway, provider)
    signed(
        gateway, provider, _callback_body(provider, attempt, kind="refund"), secret=SECRETS[provider]
    ).send()
    gateway.settle(payment_id, until=(), hours=0.1)
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("completed", None)
    gateway.assert_ledger_matches_providers()


def test_repeated_callback_about_our_refund_needs_no_review(gateway: Gateway) -> None:
    payment_id, attempt = _paid(gateway, "stripe")
    assert gateway.refund(payment_id, 40).status_code == 200
    signed(
        gateway, "stripe", _callback_body("stripe", attempt, kind="refund"), secret=SECRETS["stripe"]
    ).send()
    gateway.run_due()
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("partially_refunded", None)
