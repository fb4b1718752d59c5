"""A merchant that calls the Gateway API, an operator, and CPay, which needs no network."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services.identity import scopes
from app.services.tenants import tenants
from tests.support.factories import SignedInUser, make_user

INITIALIZE = "/api/v1/payments/initialize"


@dataclass(frozen=True)
class MerchantClient:
    """A tenant without fees, and its API key."""

    client: FlaskClient
    tenant_id: uuid.UUID
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-TENANT-API-KEY": self.key}

    def initialize(self, *, key: str | None = None, **differing: Any) -> Any:
        """The answer to a valid or invalid request. `key`: the Idempotency-Key, by default a new one."""
        headers = self.headers | {"Idempotency-Key": key or secrets.token_hex(8)}
        return self.client.post(INITIALIZE, json=request_body(**differing), headers=headers)

    def paid(self, **differing: Any) -> dict[str, Any]:
        """A completed payment's data."""
        answer = self.initialize(**differing)
        assert answer.status_code == 201 and answer.json["data"]["status"] == "completed", answer.data
        data: dict[str, Any] = answer.json["data"]
        return data

    def waiting(self, **differing: Any) -> dict[str, Any]:
        """A payment's data that CPay leaves pending."""
        answer = self.initialize(amount=7103, **differing)
        assert answer.status_code == 201 and answer.json["data"]["status"] == "processing", answer.data
        data: dict[str, Any] = answer.json["data"]
        return data

    def get(self, path: str, **kwargs: Any) -> Any:
        return self.client.get(f"/api/v1/payments{path}", headers=self.headers, **kwargs)

    def post(self, path: str, *, key: str | None = None, **kwargs: Any) -> Any:
        headers = self.headers | ({"Idempotency-Key": key} if key is not None else {})
        return self.client.post(f"/api/v1/payments{path}", headers=headers, **kwargs)

    def refund(self, payment_id: str, *, key: str | None = None, **body: Any) -> Any:
        return self.post(f"/{payment_id}/refund", key=key or secrets.token_hex(8), json=body)


def request_body(**differing: Any) -> dict[str, Any]:
    """The Gateway API document's request body, for CPay; `...` omits a field."""
    body = {
        "provider": "cpay",
        "amount": 1000,
        "currency": "KES",
        "customer": {"phone": "+254700000000", "email": "test@example.com", "name": "John Doe"},
        "metadata": {"order_id": "ORD-12345"},
    } | differing
    return {name: value for name, value in body.items() if value is not ...}


def make_merchant(app: Flask, client: FlaskClient) -> MerchantClient:
    with app.app_context():
        tenant, key = tenants.create_tenant(f"Merchant {secrets.token_hex(4)}", "starter")
    return MerchantClient(client, tenant.id, key)


@pytest.fixture
def merchant(app: Flask, client: FlaskClient) -> MerchantClient:
    return make_merchant(app, client)


@pytest.fixture
def other_merchant(app: Flask, client: FlaskClient) -> MerchantClient:
    return make_merchant(app, client)


@pytest.fixture
def operator(app: Flask) -> SignedInUser:
    user = make_user(app)
    with app.app_context():
        scopes.set_scope(user.email, "admin", is_granted=True)
    return user


@dataclass(frozen=True)
class CPay:
    """Acts as CPay: sends signed callbacks about a payment."""

    client: FlaskClient
    secret: str
    rows: Callable[..., list[Any]]

    def callback_body(
        self, payment: dict[str, Any], event: str = "payment.completed", **differing: Any
    ) -> bytes:
        (attempt,) = self.rows(
            "SELECT reference, provider_reference FROM payment_attempts WHERE payment_id = :id",
            id=payment["id"],
        )
        body = {
            "event": event,
            "event_id": f"cpe_{secrets.token_hex(8)}",
            "transaction_id": attempt.provider_reference,
            "reference": attempt.reference,
            "status": event.partition(".")[2],
            "amount": payment["amount"],
            "currency": payment["currency"],
        }
        return json.dumps(body | differing).encode()

    def send(self, body: bytes, *, signature: str | None = None, path: str = "/api/v1/webhooks/cpay") -> Any:
        signed = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-CPay-Signature": signed if signature is None else signature}
        return self.client.post(path, data=body, headers=headers, content_type="application/json")


@pytest.fixture
def cpay(app: Flask, client: FlaskClient, rows: Callable[..., list[Any]]) -> CPay:
    return CPay(client, app.config["CPAY_API_SECRET"], rows)
