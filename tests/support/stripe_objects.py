"""Stripe's objects as its answers and webhooks hold them."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from app import clock
from app.money import Money
from app.providers.base import Callback, ChargeReference, ChargeRequest, Customer

REFERENCE = "0198c0de-0000-7000-8000-000000000001"
USD_10 = Money(1000, "USD")
KEYS = {"api_key": "sk_test_sandbox", "webhook_secret": "whsec_sandbox"}
REQUEST = ChargeRequest(
    reference=REFERENCE,
    short_reference="AB12CD34EF56",
    amount=USD_10,
    customer=Customer(email="ann@example.com"),
    callback_url="http://127.0.0.1:5000/api/v1/webhooks/stripe/token",
    return_url="http://127.0.0.1:5000/done",
    description="Two chairs",
)
CHARGE_REFERENCE = ChargeReference(REFERENCE, "AB12CD34EF56", USD_10, datetime(2026, 1, 1, tzinfo=UTC))
SESSION = {
    "id": "cs_test_1",
    "object": "checkout.session",
    "status": "open",
    "payment_status": "unpaid",
    "amount_total": 1000,
    "currency": "usd",
    "url": "https://checkout.stripe.com/c/pay/cs_test_1",
    "payment_intent": None,
    "client_reference_id": REFERENCE,
    "livemode": False,
    "metadata": {"reference": REFERENCE, "label": "AB12CD34EF56", "flow": "hosted"},
}
INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "requires_payment_method",
    "amount": 1000,
    "amount_received": 0,
    "currency": "usd",
    "client_secret": "pi_1_secret_abc",
    "latest_charge": None,
    "last_payment_error": None,
    "livemode": False,
    "metadata": {"reference": REFERENCE, "flow": "intent"},
}
REFUND = {
    "id": "re_1",
    "object": "refund",
    "status": "succeeded",
    "amount": 400,
    "currency": "usd",
    "payment_intent": "pi_1",
    "charge": "ch_1",
    "metadata": {"reference": "refund-1"},
}


def event(kind: str, thing: dict[str, Any], identity: str = "evt_1") -> bytes:
    return json.dumps({"id": identity, "object": "event", "type": kind, "data": {"object": thing}}).encode()


def signed(body: bytes, *, secret: str = "whsec_sandbox", at: int | None = None) -> Callback:
    moment = int(clock.now().timestamp()) if at is None else at
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return Callback("POST", {"stripe-signature": f"t={moment},v1={mac}"}, {}, body)
