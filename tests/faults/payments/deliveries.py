"""Real and forged callbacks: taken from what the simulators sent, or written here and signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import requests

from app import clock
from app.services.provider_access import callback_tokens
from tests.support.gateway import Gateway

Json = dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One callback: what is sent, and where."""

    url: str
    method: str = "POST"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self) -> requests.Response:
        return requests.request(
            self.method, self.url, data=self.body or None, headers=dict(self.headers), timeout=60
        )

    def to(self, url: str) -> Delivery:
        return replace(self, url=url)

    def without(self, *names: str) -> Delivery:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in names}
        return replace(self, headers=kept)


def latest(gateway: Gateway, provider: str) -> Delivery:
    """What this simulator sent last, or lost on the way."""
    return delivery(gateway.sandbox.callbacks(provider)[-1])


def delivery(sent: Mapping[str, Any]) -> Delivery:
    """One of the simulators' list of callbacks, to send it again."""
    return Delivery(sent["url"], sent["method"], sent["body"].encode(), sent["headers"])


def receipt_of(push_result: Delivery) -> str:
    """M-Pesa's receipt in the result of a push."""
    items = json.loads(push_result.body)["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    return str(next(item["Value"] for item in items if item["Name"] == "MpesaReceiptNumber"))


# --- each provider's signature, from its documents

SECRETS: Final = MappingProxyType(
    {
        "stripe": "whsec_sandbox",
        "chapa": "chapa-sandbox-hook",
        "paystack": "sk_test_sandbox_paystack",
    }
)
"""Of the platform's accounts: the simulators' secrets."""

SIGNED: Final = tuple(SECRETS)


def signature(provider: str, body: bytes, secret: str) -> dict[str, str]:
    """The headers that prove `body`."""
    if provider == "stripe":
        at = str(int(clock.now().timestamp()))
        signed = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={at},v1={signed}"}
    if provider == "chapa":
        return {"x-chapa-signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
    return {"x-paystack-signature": hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()}


def webhook(gateway: Gateway, provider: str, token: str | None = None) -> str:
    return f"{gateway.url}/webhooks/{provider}" + (f"/{token}" if token else "")


def token_of(gateway: Gateway, operation: Any) -> str:
    """The secret end of the callback URL of an attempt or refund; the database holds a digest of it."""
    with gateway.app.app_context():
        return callback_tokens.token_of(operation.id, operation.callback_token)


def signed(gateway: Gateway, provider: str, body: Json, *, secret: str, token: str | None = None) -> Delivery:
    raw = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | signature(provider, raw, secret)
    return Delivery(webhook(gateway, provider, token), body=raw, headers=headers)


# --- callbacks that report success


def _stripe(attempt: Any, amount: int) -> Json:
    session = {
        "id": attempt.provider_reference or "cs_test_invented",
        "object": "checkout.session",
        "status": "complete",
        "payment_status": "paid",
        "amount_total": amount * 100,
        "currency": "usd",
        "payment_intent": "pi_invented",
        "client_reference_id": attempt.reference,
        "metadata": {"reference": attempt.reference, "flow": "hosted"},
    }
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "type": "checkout.session.completed",
        "data": {"object": session},
    }


def _chapa(attempt: Any, amount: int) -> Json:
    return {
        "event": "charge.success",
        "status": "success",
        "tx_ref": attempt.reference,
        "reference": "APinvented",
        "amount": str(amount),
        "currency": "ETB",
    }


def _paystack(attempt: Any, amount: int) -> Json:
    data = {
        "id": 4999999999,
        "status": "success",
        "reference": attempt.reference,
        "amount": amount * 100,
        "requested_amount": amount * 100,
        "currency": "NGN",
        "channel": "card",
    }
    return {"event": "charge.success", "data": data}


SUCCESS: Final[Mapping[str, Callable[[Any, int], Json]]] = MappingProxyType(
    {"stripe": _stripe, "chapa": _chapa, "paystack": _paystack}
)


def push_result(checkout: str, amount: int, *, receipt: str = "INVENTED01", code: int = 0) -> Json:
    """What Daraja posts when a push has ended."""
    items = [
        {"Name": "Amount", "Value": float(amount)},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "TransactionDate", "Value": 20260101120000},
        {"Name": "PhoneNumber", "Value": 254700000000},
    ]
    push: Json = {
        "MerchantRequestID": "1-2-3",
        "CheckoutRequestID": checkout,
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
    }
    if code == 0:
        push["CallbackMetadata"] = {"Item": items}
    return {"Body": {"stkCallback": push}}


def posted(gateway: Gateway, provider: str, body: Json, token: str | None = None) -> Delivery:
    """Unsigned JSON."""
    headers = {"Content-Type": "application/json"}
    return Delivery(webhook(gateway, provider, token), body=json.dumps(body).encode(), headers=headers)


def ipn(gateway: Gateway, tracking_id: str, reference: str) -> Delivery:
    """Pesapal's notification, which is unsigned."""
    query = (
        f"OrderTrackingId={tracking_id}&OrderNotificationType=IPNCHANGE&OrderMerchantReference={reference}"
    )
    return Delivery(f"{webhook(gateway, 'pesapal')}?{query}", "GET")


def hint(gateway: Gateway, reference: str, *, token: str | None = None) -> Delivery:
    """Chapa's unsigned GET."""
    return Delivery(
        f"{webhook(gateway, 'chapa', token)}?trx_ref={reference}&ref_id=APinvented&status=success", "GET"
    )


def forged_success(gateway: Gateway, attempt: Any, *, amount: int) -> list[Delivery]:
    """Every callback that can be forged with the attempt's references but without a secret."""
    provider = attempt.provider
    if provider == "mpesa":
        body = push_result(attempt.provider_reference, amount)
        return [posted(gateway, "mpesa", body), posted(gateway, "mpesa", body, "G" * 32)]
    if provider == "pesapal":
        invented = ipn(gateway, "00000000-0000-0000-0000-000000000000", attempt.reference)
        return [ipn(gateway, attempt.provider_reference, attempt.reference), invented]
    body = SUCCESS[provider](attempt, amount)
    real = signed(gateway, provider, body, secret=SECRETS[provider])
    found = [
        signed(gateway, provider, body, secret="a-guess"),
        real.without("stripe-signature", "x-chapa-signature", "x-paystack-signature"),
        replace(real, body=real.body + b" "),
    ]
    return [*found, hint(gateway, attempt.reference)] if provider == "chapa" else found
