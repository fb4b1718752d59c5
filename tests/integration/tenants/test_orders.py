"""Orders: made, read, listed and cancelled by those who may, each seen by its tenant alone."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask

from app.models.member import Role
from tests.support.orders import ORDERS, Shop, make_customer, make_shop
from tests.support.tenants import make_member, make_merchant, tenant_headers

ITEM = {"name": "Shirt", "quantity": 2, "unit_price": 499.5, "sku": "SH-1"}


@pytest.fixture
def shop(app: Flask) -> Shop:
    return make_shop(app)


def test_an_order_is_made_and_read(shop: Shop) -> None:
    order_id = str(uuid.uuid4())
    made = shop.post(
        "",
        {
            "id": order_id,
            "customer_id": str(shop.customer_id),
            "amount": "1000.00",
            "items": [ITEM, {"name": "Delivery", "quantity": 1}],
            "reference": "ORD-1",
        },
    )
    assert made.status_code == 201, made.data
    assert b'"amount":1000.0,' in made.data
    found = shop.get(f"/{order_id}").json
    assert found == made.json
    assert (found["id"], found["status"], found["currency"]) == (order_id, "open", "KES")
    assert found["items"] == [ITEM, {"name": "Delivery", "quantity": 1, "unit_price": None, "sku": None}]
    assert (found["reference"], found["payment"]) == ("ORD-1", None)


def test_a_key_makes_one_order(shop: Shop, rows: Any) -> None:
    body = {"customer_id": str(shop.customer_id), "amount": 5}
    first, second = (shop.post("", body, key="one") for _ in range(2))
    assert first.json == second.json
    assert second.headers["Idempotent-Replayed"] == "true"
    assert shop.post("", body | {"amount": 6}, key="one").status_code == 422
    (count,) = rows("SELECT count(*) FROM orders WHERE tenant_id = :id", id=shop.owner.merchant.tenant_id)[0]
    assert count == 1
    events = "SELECT actor FROM outbox WHERE type = 'order.created' AND object_id = :id UNION ALL "
    events += "SELECT actor FROM events WHERE type = 'order.created' AND object_id = :id"
    assert len(rows(events, id=first.json["id"])) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"amount": 0}, "amount: Amount must be greater than 0"),
        ({"amount": "1.001"}, "KES amounts have at most 2 decimals."),
        ({"currency": "XXX"}, "This currency is not supported."),
        ({"customer_id": str(uuid.uuid4())}, "not found"),
        ({"items": [ITEM] * 101}, "items: This must have 1 to 100 items."),
        ({"items": [ITEM | {"quantity": 0}]}, "items.0.quantity: This must be a whole number"),
        ({"items": [ITEM | {"unit_price": "0.001"}]}, "at most 2 decimals"),
        ({"colour": "red"}, "colour: This field is not known here."),
    ],
)
def test_what_is_no_order_is_refused(shop: Shop, body: dict[str, Any], said: str) -> None:
    answer = shop.post("", {"customer_id": str(shop.customer_id), "amount": 10} | body)
    assert answer.status_code == 400
    assert said in answer.json["error"]
    assert shop.get().json["results"] == []


def test_another_tenant_sees_nothing_of_it(app: Flask, shop: Shop) -> None:
    """Breaks when an order, its customer or a cursor is looked up by its id alone."""
    other = make_shop(app)
    order_id = shop.order()
    for answer in (
        other.get(f"/{order_id}"),
        other.post(f"/{order_id}/cancel"),
        other.check_out(order_id),
    ):
        assert (answer.status_code, answer.json) == (404, {"detail": "Not found."})
    assert other.get().json == {"count": 0, "results": [], "next_cursor": None}
    assert other.get(f"?cursor={order_id}").status_code == 400
    assert other.post("", {"customer_id": str(shop.customer_id), "amount": 5}).status_code == 400
    mine = {"customer_id": str(other.customer_id), "amount": 5}
    assert other.post("", mine | {"id": order_id}).json["error"] == "An order with this id exists."
    assert shop.status(order_id) == "open"


def test_a_list_is_filtered_and_paged(app: Flask, shop: Shop) -> None:
    """Also where a tenant chose the ids: the list goes by time. Breaks when it is ordered by id."""
    other = make_customer(app, shop.owner.merchant)
    first = shop.order(id="ffffffff-0000-4000-8000-" + uuid.uuid4().hex[:12])
    made = [first, shop.order(), shop.order(customer_id=str(other)), shop.order(7103)]
    shop.check_out(made[1])
    shop.check_out(made[3])
    shop.post(f"/{made[0]}/cancel")

    def ids(query: str) -> list[str]:
        return [row["id"] for row in shop.get(query).json["results"]]

    assert ids("") == made[::-1]
    page = shop.get("?limit=3").json
    assert page["count"] == 3
    assert ids(f"?limit=3&cursor={page['next_cursor']}") == made[:1]
    for status, expected in {
        "cancelled": made[0],
        "paid": made[1],
        "open": made[2],
        "processing": made[3],
    }.items():
        assert ids(f"?status={status}") == [expected]
        assert [row["status"] for row in shop.get(f"?status={status}").json["results"]] == [status]
    assert ids(f"?customer_id={other}") == [made[2]]
    assert shop.get("?status=lost").status_code == 400


def test_an_order_is_cancelled_once_and_then_never_paid(shop: Shop) -> None:
    order_id = shop.order()
    cancelled = shop.post(f"/{order_id}/cancel")
    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert cancelled.json["cancelled_at"]
    again = shop.post(f"/{order_id}/cancel")
    assert (again.status_code, again.json["error"]) == (400, "Cannot cancel order with status: cancelled")
    refused = shop.check_out(order_id)
    assert (refused.status_code, refused.json["error"]) == (400, "Order is already cancelled")


@pytest.mark.parametrize(("amount", "status"), [(7103, "processing"), (1000, "paid")])
def test_an_order_with_a_payment_is_not_cancelled(shop: Shop, amount: int, status: str) -> None:
    order_id = shop.order(amount)
    shop.check_out(order_id)
    refused = shop.post(f"/{order_id}/cancel")
    assert (refused.status_code, refused.json["error"]) == (400, f"Cannot cancel order with status: {status}")


def test_who_may_do_what(app: Flask, shop: Shop) -> None:
    """A cashier collects and makes none; the API key alone reads."""
    merchant, order_id = shop.owner.merchant, shop.order()
    client = app.test_client()
    key = tenant_headers(merchant)
    assert client.get(f"{ORDERS}/{order_id}", headers=key).status_code == 200
    assert client.get(f"/v1/orders/{order_id}", headers=key).status_code == 200
    body = {"customer_id": str(shop.customer_id), "amount": 5}
    cashier = make_member(app, merchant, Role.CASHIER)
    analyst = make_member(app, merchant, Role.ANALYST)
    refused = [
        client.post(ORDERS, json=body, headers=key),
        client.post(f"{ORDERS}/{order_id}/cancel", headers=key),
        client.post(f"{ORDERS}/{order_id}/checkout", headers=key),
        shop.post("", body, by=cashier),
        shop.post(f"/{order_id}/cancel", by=cashier),
        shop.get(f"/{order_id}", by=analyst),
        shop.post(f"/{order_id}/checkout", by=analyst),
    ]
    for answer in refused:
        assert answer.status_code == 403
        assert answer.json["detail"].startswith("Missing required scope: orders:")
    assert shop.post(f"/{order_id}/checkout", {"provider": "cpay"}, by=cashier).status_code == 201


def test_a_foreign_member_is_not_admitted(app: Flask, shop: Shop) -> None:
    outsider = make_member(app, make_merchant(app), Role.OWNER)
    headers = {**tenant_headers(shop.owner.merchant), **outsider.user.headers}
    assert app.test_client().get(ORDERS, headers=headers).status_code == 403
