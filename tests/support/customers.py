"""A tenant's customer, as the tenant's back office sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from app.models.member import Role
from tests.support.tenants import MerchantClient, make_member, tenant_headers

PHONE = "254712345678"
MPESA = {"provider": "mpesa", "details": {"phone_number": PHONE}}
CARD = {
    "provider": "paystack",
    "details": {"authorization_code": "AUTH_1a2b3c4d5e", "last4": "1234", "bank": "Access Bank"},
}


@dataclass(frozen=True)
class CustomerClient:
    """A new tenant's customer, as the tenant's API key sees it."""

    client: FlaskClient
    merchant: MerchantClient
    id: str

    def call(self, method: str, path: str = "", *, prefix: str = "/api/v1", **kwargs: Any) -> Any:
        headers = {**tenant_headers(self.merchant), **kwargs.pop("headers", {})}
        return self.client.open(
            f"{prefix}/customers/{self.id}{path}", method=method, headers=headers, **kwargs
        )

    def save(self, body: dict[str, Any], **differing: Any) -> Any:
        return self.call("POST", "/payment-methods", json=body | differing)

    def preferences(self) -> dict[str, Any]:
        answer = self.call("GET", "/payment-preferences")
        assert answer.status_code == 200, answer.data
        found: dict[str, Any] = answer.json
        return found

    def defaults(self) -> list[str]:
        return [method["id"] for method in self.preferences()["saved_methods"] if method["is_default"]]

    def options(self, amount: object, **query: Any) -> Any:
        return self.call("GET", "/checkout-options", query_string={"amount": amount, **query})


def create_customer(app: Flask, merchant: MerchantClient, **body: Any) -> Any:
    owner = make_member(app, merchant, Role.OWNER)
    return app.test_client().post("/api/v1/customers", json=body, headers=owner.headers)


def make_customer(app: Flask, merchant: MerchantClient, **body: Any) -> CustomerClient:
    made = create_customer(app, merchant, **body)
    assert made.status_code == 201, made.data
    return CustomerClient(app.test_client(), merchant, made.json["id"])
