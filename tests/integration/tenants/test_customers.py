"""A tenant's customers: who may see and change them, and what is recorded."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.errors import CustomerNotFound, InvalidRequest
from app.models.member import Role
from app.services.customers import methods
from tests.support.customers import CARD, MPESA, PHONE, CustomerClient, create_customer
from tests.support.tenants import MerchantClient, make_member, make_merchant, tenant_headers

Rows = Callable[..., list[Any]]


def test_another_tenants_customer_is_not_found(app: Flask, customer: CustomerClient) -> None:
    customer.save(MPESA)
    outsider = CustomerClient(customer.client, make_merchant(app), customer.id)
    calls = [
        ("GET", "", {}),
        ("GET", "/payment-preferences", {}),
        ("GET", "/checkout-options?amount=10", {}),
        ("PUT", "/preferred-provider", {"json": {"provider": "mpesa"}}),
        ("POST", "/payment-methods", {"json": MPESA}),
        ("DELETE", f"/payment-methods/mpesa_{PHONE}", {}),
        ("PUT", f"/payment-methods/mpesa_{PHONE}/default", {}),
    ]
    for method, path, more in calls:
        answer = outsider.call(method, path, **more)
        assert (answer.status_code, answer.json) == (404, {"detail": "Not found."}), (method, path)
    answer = outsider.client.get("/api/v1/customers", headers=tenant_headers(outsider.merchant))
    assert answer.json == {"count": 0, "results": [], "next_cursor": None}
    assert len(customer.preferences()["saved_methods"]) == 1


def test_what_a_role_may_do(app: Flask, customer: CustomerClient) -> None:
    analyst = make_member(app, customer.merchant, Role.ANALYST)
    answer = customer.call("GET", "/payment-preferences", headers=analyst.headers)
    assert (answer.status_code, answer.json) == (
        403,
        {"detail": "Missing required scope: conversations:view"},
    )
    support = make_member(app, customer.merchant, Role.SUPPORT_LEAD)
    assert customer.call("POST", "/payment-methods", json=MPESA, headers=support.headers).status_code == 201
    for headers in (support.headers, tenant_headers(customer.merchant)):
        answer = customer.client.post("/v1/customers", json={}, headers=headers)
        assert (answer.status_code, answer.json) == (403, {"detail": "Missing required scope: orders:manage"})


def test_a_customer_is_created_once(app: Flask, merchant: MerchantClient) -> None:
    wanted = str(uuid.uuid4())
    body = {"name": "Jane", "email": "jane@example.com", "phone": "0712345678", "reference": "C-1"}
    made = create_customer(app, merchant, id=wanted, **body)
    assert made.status_code == 201
    answer = made.json
    assert answer.pop("created_at").endswith("Z")
    assert answer == body | {"id": wanted, "phone": "+254712345678"}
    for again in ({"id": wanted}, {"reference": "C-1"}):
        answer = create_customer(app, merchant, **again)
        assert (answer.status_code, answer.json) == (
            409,
            {"error": "There is a customer with this id or reference."},
        )
    assert create_customer(app, make_merchant(app), reference="C-1").status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"id": "1"},
        {"email": "jane"},
        {"phone": "12"},
        {"name": "N" * 201},
        {"reference": " "},
        {"name": "4111 1111 1111 1111"},
        {"surname": "Doe"},
    ],
)
def test_customers_that_are_refused(app: Flask, merchant: MerchantClient, body: dict[str, str]) -> None:
    answer = create_customer(app, merchant, **body)
    assert answer.status_code == 400 and isinstance(answer.json["error"], str)


def test_the_list_is_newest_first_and_in_pages(app: Flask, merchant: MerchantClient) -> None:
    made = [create_customer(app, merchant, id=str(uuid.uuid4())).json["id"] for _ in range(5)]
    client, headers = app.test_client(), tenant_headers(merchant)
    found, query = [], {"limit": 2}
    while True:
        answer = client.get("/api/v1/customers", query_string=query, headers=headers).json
        assert answer["count"] == len(answer["results"]) <= 2
        found += [one["id"] for one in answer["results"]]
        if answer["next_cursor"] is None:
            break
        query = {"limit": 2, "cursor": answer["next_cursor"]}
    assert found == made[::-1]
    for wrong in ({"limit": 0}, {"limit": 101}, {"cursor": "x"}, {"cursor": uuid.uuid4().hex}):
        assert client.get("/api/v1/customers", query_string=wrong, headers=headers).status_code == 400


def test_every_change_is_an_event_that_cannot_charge(customer: CustomerClient, rows: Rows) -> None:
    customer.save(MPESA)
    customer.save(CARD, set_as_default=True)
    customer.call("PUT", f"/payment-methods/mpesa_{PHONE}/default")
    customer.call("PUT", "/preferred-provider", json={"provider": "stripe"})
    customer.call("DELETE", f"/payment-methods/mpesa_{PHONE}")
    found = rows(
        "SELECT type, actor, is_public, data, tenant_id FROM outbox WHERE object_id = :id ORDER BY id",
        id=customer.id,
    )
    assert [row.type for row in found] == [
        "customer.created",
        "payment_method.saved",
        "payment_method.saved",
        "payment_method.default_changed",
        "customer.preference_changed",
        "payment_method.removed",
    ]
    assert all(row.actor for row in found) and not any(row.is_public for row in found)
    assert {row.tenant_id for row in found} == {customer.merchant.tenant_id}
    assert found[1].data["details"] == {"phone_number": "2547******78"}
    text = json.dumps([row.data for row in found])
    assert PHONE not in text and "AUTH_1a2b3c4d5e" not in text


def test_what_a_checkout_finds(app: Flask, customer: CustomerClient) -> None:
    customer.save(MPESA)
    tenant_id, customer_id = customer.merchant.tenant_id, uuid.UUID(customer.id)
    with app.app_context():
        found = methods.find(tenant_id, customer_id, f"mpesa_{PHONE}")
        assert found.details == {"phone_number": PHONE}
        with pytest.raises(InvalidRequest, match="Payment method mpesa_1 not found"):
            methods.find(tenant_id, customer_id, "mpesa_1")
        with pytest.raises(CustomerNotFound):
            methods.find(make_merchant(app).tenant_id, customer_id, f"mpesa_{PHONE}")
