"""Customers and orders of a merchant, and their checkout."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Flask

from app import clock, ids
from app.models.customer import Customer
from app.models.member import Role
from app.unit_of_work import transaction
from tests.support.tenants import MemberClient, MerchantClient, make_member, make_merchant

ORDERS = "/api/v1/orders"


def make_customer(app: Flask, merchant: MerchantClient, **differing: Any) -> uuid.UUID:
    """A new customer, reachable by phone and e-mail; its id."""
    now, facts = clock.now(), {"name": "Amina", "email": "amina@example.com", "phone": "+254700000000"}
    row = Customer(
        id=ids.uuid7(),
        tenant_id=merchant.tenant_id,
        created_at=now,
        updated_at=now,
        **(facts | differing),
    )
    with app.app_context():
        transaction(lambda session: session.add(row))
    return row.id


@dataclass(frozen=True)
class Shop:
    """A merchant's owner, and a customer of the merchant."""

    app: Flask
    owner: MemberClient
    customer_id: uuid.UUID

    def post(self, path: str, json: Any = None, *, key: str | None = None, by: Any = None) -> Any:
        headers = (by or self.owner).headers | ({"Idempotency-Key": key} if key else {})
        return self.app.test_client().post(f"{ORDERS}{path}", json=json or {}, headers=headers)

    def get(self, path: str = "", *, by: Any = None) -> Any:
        return self.app.test_client().get(f"{ORDERS}{path}", headers=(by or self.owner).headers)

    def order(self, amount: object = 1000, **more: Any) -> str:
        """A new order's id."""
        answer = self.post("", {"customer_id": str(self.customer_id), "amount": amount, **more})
        assert answer.status_code == 201, answer.data
        return str(answer.json["id"])

    def check_out(self, order_id: str, *, key: str | None = None, **body: Any) -> Any:
        """Through CPay, which needs no network, where the body names nothing else."""
        return self.post(f"/{order_id}/checkout", {"provider": "cpay"} | body, key=key)

    def status(self, order_id: str) -> str:
        return str(self.get(f"/{order_id}").json["status"])


def make_shop(app: Flask, role: Role = Role.OWNER) -> Shop:
    merchant = make_merchant(app)
    return Shop(app, make_member(app, merchant, role), make_customer(app, merchant))
