"""Operators read the payments of every merchant, and change none."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services.identity import scopes
from tests.integration.gateway.conftest import MerchantClient
from tests.support.factories import SignedInUser, make_user


class Reader:
    """A signed-in user's requests."""

    def __init__(self, client: FlaskClient, user: SignedInUser) -> None:
        self.client, self.headers = client, user.headers

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/v1/payments{path}", headers=self.headers)

    def ids(self, query: str) -> list[str]:
        answer = self.get(query)
        assert answer.status_code == 200, answer.data
        return [item["id"] for item in answer.json["data"]["items"]]


@pytest.fixture
def reader(client: FlaskClient, operator: SignedInUser) -> Reader:
    return Reader(client, operator)


def test_any_merchants_payment_and_its_refunds(reader: Reader, merchant: MerchantClient) -> None:
    payment = merchant.paid()
    assert merchant.refund(payment["id"], amount="1.00").status_code == 200
    answer = reader.get(f"/{payment['id']}")
    own = merchant.get(f"/{payment['id']}").json["data"]
    assert answer.status_code == 200 and "tenant_id" not in own
    assert answer.json["data"] == own | {"tenant_id": str(merchant.tenant_id)}
    refunds = reader.get(f"/{payment['id']}/refunds")
    assert refunds.json == merchant.get(f"/{payment['id']}/refunds").json and len(refunds.json["data"]) == 1
    assert reader.get(f"/{uuid.uuid4()}").status_code == 404


def test_the_list_is_of_every_tenant(
    reader: Reader, merchant: MerchantClient, other_merchant: MerchantClient
) -> None:
    phone = f"+2547{uuid.uuid4().int % 10**8:08d}"
    first, second = (
        each.paid(customer={"phone": phone}, key=f"key-{phone[1:]}")["id"]
        for each in (merchant, other_merchant)
    )
    assert reader.ids(f"?phone={phone}") == reader.ids(f"?reference=key-{phone[1:]}") == [second, first]
    assert reader.ids(f"?phone={phone}&tenant_id={merchant.tenant_id}") == [first]
    page = reader.get(f"?phone={phone}&per_page=1").json["data"]
    assert page["items"][0]["tenant_id"] == str(other_merchant.tenant_id)
    assert reader.ids(f"?cursor={page['pagination']['next_cursor']}") == [first]
    assert reader.ids(f"?tenant_id={uuid.uuid4()}") == []


def test_operators_change_nothing(reader: Reader, merchant: MerchantClient) -> None:
    waiting = merchant.waiting()["id"]
    for action in ("verify", "cancel", "refund"):
        answer = reader.client.post(
            f"/api/v1/payments/{waiting}/{action}",
            json={},
            headers=reader.headers | {"Idempotency-Key": "k"},
        )
        assert answer.status_code == 403, action
    assert merchant.get(f"/{waiting}").json["data"]["status"] == "processing"


def test_other_users_see_no_merchants_payment(
    app: Flask, client: FlaskClient, merchant: MerchantClient
) -> None:
    payment_id, user = merchant.paid()["id"], make_user(app)
    reader = Reader(client, user)
    assert reader.get(f"/{payment_id}").status_code == 403
    assert reader.get(f"/{payment_id}/refunds").status_code == 403
    assert reader.ids("") == []
    for query in (
        "phone=0711111111",
        f"tenant_id={merchant.tenant_id}",
        "reference=x",
        "created_from=2026-01-01",
    ):
        assert reader.get(f"?{query}").status_code == 400
    with app.app_context():
        scopes.set_scope(user.email, "admin", is_granted=True)
    assert reader.get(f"/{payment_id}").status_code == 200
    with app.app_context():
        scopes.set_scope(user.email, "admin", is_granted=False)
    assert reader.get(f"/{payment_id}").status_code == 403


def test_a_key_and_an_operators_token_are_not_mixed(reader: Reader, merchant: MerchantClient) -> None:
    reader.headers = reader.headers | merchant.headers
    assert reader.get("").status_code == 403
