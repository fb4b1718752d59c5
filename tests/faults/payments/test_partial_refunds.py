"""A partial external refund at a provider whose status word may also mean a full refund."""

from __future__ import annotations

from typing import Any

import requests

from tests.faults.payments.deliveries import latest
from tests.faults.payments.facts import operator
from tests.support.gateway import Gateway

KEYS = {"consumer_key": "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW", "consumer_secret": "osGQ364R49cXKeOYSpaOnT++rHs="}


def _paid_by_card(gateway: Gateway) -> tuple[str, Any]:
    """Cards can be refunded in parts."""
    gateway.sandbox.control({"autopay_s": 5_000})
    payment_id = gateway.begin("pesapal", 100)
    page = gateway.payment(payment_id)["payment_url"]
    requests.post(page, data={"method": "Visa", "action": "pay"}, timeout=30, allow_redirects=False)
    assert gateway.settle(payment_id, hours=1)["status"] == "completed"
    return payment_id, gateway.attempts(payment_id)[0]


def _refund_in_part(gateway: Gateway, receipt: str, amount: int) -> None:
    """In Pesapal's dashboard, with approval."""
    url = f"{gateway.sandbox.url}/pesapal/api"
    token = requests.post(f"{url}/Auth/RequestToken", json=KEYS, timeout=30).json()["token"]
    body = {"confirmation_code": receipt, "amount": amount, "username": "amina", "remarks": "dashboard"}
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{url}/Transactions/RefundRequest", json=body, headers=headers, timeout=30)
    assert answer.json()["status"] == "200", answer.text
    gateway.advance(60)
    gateway.quiet()


def test_partial_refund_is_not_mistaken_for_a_full_one(gateway: Gateway) -> None:
    """Breaks when the merchant loses the whole payment for a part of it, and clearing is not what the provider holds."""
    payment_id, attempt = _paid_by_card(gateway)
    _refund_in_part(gateway, attempt.receipt, 30)
    latest(gateway, "pesapal").send()
    gateway.settle(payment_id, until=("reversed",), hours=1)
    found = gateway.payment(payment_id)
    assert found["status"] == "completed", "seventy of a hundred are still with the provider"
    assert found["review"] == "refunded_at_provider"
    operator(gateway, "payments", "record-refund", payment_id, "30", "--reference", "dashboard-1")
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("partially_refunded", None)
    gateway.assert_ledger_matches_providers()


def test_payment_refunded_before_its_callback_is_not_failed(gateway: Gateway) -> None:
    """Breaks when the part that was not refunded is posted nowhere."""
    lost = {"fault": "callback_lost", "provider": "pesapal", "operation": "callback"}
    gateway.sandbox.control({"autopay_s": 5_000, "rules": [lost]})
    payment_id = gateway.begin("pesapal", 100)
    page = gateway.payment(payment_id)["payment_url"]
    requests.post(page, data={"method": "Visa", "action": "pay"}, timeout=30, allow_redirects=False)
    gateway.quiet()
    (charge,) = [entry for entry in gateway.book(payment_id) if entry["kind"] == "charge"]
    _refund_in_part(gateway, charge["id"], 30)
    gateway.settle(payment_id, until=("failed",), hours=1)
    found = gateway.payment(payment_id)
    assert (found["status"], found["review"]) == ("processing", "refunded_at_provider")
    operator(gateway, "payments", "resolve", payment_id, "--paid", "--receipt", charge["id"])
    operator(gateway, "payments", "record-refund", payment_id, "30", "--reference", "dashboard-1")
    assert gateway.payment(payment_id)["status"] == "partially_refunded"
    gateway.assert_ledger_matches_providers()
