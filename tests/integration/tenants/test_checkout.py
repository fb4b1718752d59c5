"""An order's checkout: one live payment, by the provider and the method that were chosen."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from app import clock, ids
from app.models.customer import PaymentMethod
from app.unit_of_work import transaction
from launcher.addresses import free_port
from tests.support.orders import Shop, make_customer, make_shop
from tests.support.simultaneous_requests import Call, send_simultaneously
from tests.support.tenants import tenant_headers

WAITING = 7103
"""CPay leaves it pending."""

DECLINED = 113
SIMULTANEOUS = 20


@pytest.fixture
def shop(app: Flask) -> Shop:
    return make_shop(app)


def test_a_checkout_requests_the_orders_amount(shop: Shop, rows: Any) -> None:
    order_id = shop.order(1000, reference="ORD-9", description="Two shirts")
    answer = shop.check_out(order_id)
    assert answer.status_code == 201
    paid = answer.json
    assert (paid["order_id"], paid["status"], paid["amount"], paid["currency"]) == (
        order_id,
        "completed",
        1000.0,
        "KES",
    )
    assert (paid["provider"], paid["customer_id"], paid["failure"]) == ("cpay", str(shop.customer_id), None)
    stored = (
        "SELECT customer_phone, customer_email, reference, description FROM payments WHERE order_id = :id"
    )
    assert [tuple(row) for row in rows(stored, id=order_id)] == [
        ("+254700000000", "amina@example.com", "ORD-9", "Two shirts")
    ]
    found = shop.get(f"/{order_id}").json
    assert (found["status"], found["payment"]) == ("paid", paid)


def test_a_second_checkout_returns_the_live_payment(shop: Shop, rows: Any) -> None:
    """Breaks when the order's payments are not looked at: the customer gets a second prompt."""
    order_id = shop.order(WAITING)
    first = shop.check_out(order_id, key="a")
    again = shop.check_out(order_id, key="b", phone="0711 222 333")
    unkeyed = shop.check_out(order_id, provider="auto")
    assert (first.status_code, again.status_code, unkeyed.status_code) == (201, 200, 200)
    assert first.json == again.json == unkeyed.json
    assert len(rows("SELECT id FROM payments WHERE order_id = :id", id=order_id)) == 1
    # Each key keeps its own answer.
    for key, status in (("a", 201), ("b", 200)):
        more = {"phone": "0711 222 333"} if key == "b" else {}
        replayed = shop.check_out(order_id, key=key, **more)
        assert (replayed.status_code, replayed.json) == (status, first.json)
        assert replayed.headers["Idempotent-Replayed"] == "true"


def test_a_paid_order_is_not_paid_again(shop: Shop) -> None:
    order_id = shop.order()
    first = shop.check_out(order_id, key="paid")
    refused = shop.check_out(order_id)
    assert (refused.status_code, refused.json["error"]) == (400, "Order is already paid")
    assert shop.check_out(order_id, key="paid").json == first.json


def test_a_failed_payment_makes_room_for_another(shop: Shop, rows: Any) -> None:
    order_id = shop.order(DECLINED)
    refused = shop.check_out(order_id, key="first")
    assert refused.status_code == 402
    failed = refused.json["details"]["payment"]
    assert refused.json["error"] == failed["failure"]["reason"]
    assert (failed["status"], failed["order_id"]) == ("failed", order_id)
    assert shop.status(order_id) == "open"
    assert shop.check_out(order_id, key="first").json == refused.json
    assert len(rows("SELECT id FROM payments WHERE order_id = :id", id=order_id)) == 1
    assert shop.check_out(order_id, key="second").json["details"]["payment"]["id"] != failed["id"]
    assert shop.post(f"/{order_id}/cancel").json["status"] == "cancelled"


def test_a_refunded_order_is_not_paid_again(app: Flask, shop: Shop) -> None:
    payment_id = shop.check_out(order_id := shop.order()).json["id"]
    shop.check_out(shop.order(500))  # so that the fee does not stand in the way
    headers = shop.owner.merchant.headers | {"Idempotency-Key": str(uuid.uuid4())}
    done = app.test_client().post(f"/api/v1/payments/{payment_id}/refund", headers=headers)
    assert done.status_code == 200, done.data
    found = shop.get(f"/{order_id}").json
    assert (found["status"], found["payment"]["refunded_amount"]) == ("refunded", 1000.0)
    assert shop.check_out(order_id).json["error"] == "Order is already refunded"


def _save(app: Flask, shop: Shop, provider: str, details: dict[str, str], *, is_default: bool = True) -> str:
    method_id = "_".join([provider, *details.values()])
    row = PaymentMethod(
        id=ids.uuid7(),
        tenant_id=shop.owner.merchant.tenant_id,
        customer_id=shop.customer_id,
        method_id=method_id,
        provider=provider,
        details=details,
        is_default=is_default,
        saved_at=clock.now(),
    )
    with app.app_context():
        transaction(lambda session: session.add(row))
    return method_id


def test_the_method_must_be_the_customers(app: Flask, shop: Shop) -> None:
    other = Shop(app, shop.owner, make_customer(app, shop.owner.merchant))
    method_id = _save(app, other, "mpesa", {"phone_number": "254712345678"})
    refused = shop.post(f"/{shop.order()}/checkout", {"method_id": method_id})
    assert (refused.status_code, refused.json["error"]) == (400, f"Payment method {method_id} not found")
    contradicting = other.check_out(other.order(), method_id=method_id)
    assert contradicting.status_code == 400
    assert "not of provider cpay" in contradicting.json["error"]


def test_a_phone_that_is_none_is_refused(shop: Shop) -> None:
    order_id = shop.order()
    refused = shop.check_out(order_id, phone="12")
    assert (refused.status_code, shop.status(order_id)) == (400, "open")
    assert refused.json["error"].startswith("phone: This must be a phone number")


@pytest.fixture(scope="module")
def url(app: Flask) -> Iterator[str]:
    """The application over real HTTP."""
    port = free_port()
    server = make_server("127.0.0.1", port, app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _calls(shop: Shop, order_id: str, count: int, action: str = "checkout") -> list[Call]:
    body = {"provider": "cpay"} if action == "checkout" else {}
    return [
        Call(
            f"/api/v1/orders/{order_id}/{action}",
            body,
            shop.owner.user.access_token,
            headers=tenant_headers(shop.owner.merchant),
        )
        for _ in range(count)
    ]


def test_simultaneous_checkouts_are_one_payment(shop: Shop, url: str, rows: Any) -> None:
    """Breaks without the index payments_live_of_order: each asks the customer."""
    order_id = shop.order(WAITING)
    answers = send_simultaneously(url, _calls(shop, order_id, SIMULTANEOUS))
    assert sorted(answer.status for answer in answers) == [200] * (SIMULTANEOUS - 1) + [201]
    assert len({answer.body["id"] for answer in answers}) == 1
    assert len(rows("SELECT id FROM payments WHERE order_id = :id", id=order_id)) == 1
    attempts = (
        "SELECT a.id FROM payment_attempts a JOIN payments p ON p.id = a.payment_id WHERE p.order_id = :id"
    )
    assert len(rows(attempts, id=order_id)) == 1


def test_an_order_is_cancelled_or_checked_out(shop: Shop, url: str) -> None:
    """Both at once. Breaks when the payment is stored without a look at its order's row: cancelled orders with a payment."""
    for _ in range(3):
        order_id = shop.order(WAITING)
        calls = [*_calls(shop, order_id, 4), *_calls(shop, order_id, 4, "cancel")]
        answers = send_simultaneously(url, calls)
        found = shop.get(f"/{order_id}").json
        taken = [answer for answer in answers[:4] if answer.status < 300]
        cancelled = [answer for answer in answers[4:] if answer.status == 200]
        assert {answer.status for answer in answers} <= {200, 201, 400}
        if found["status"] == "cancelled":
            assert (len(taken), len(cancelled)) == (0, 1)
        else:
            assert (found["status"], len(taken), len(cancelled)) == ("processing", 4, 0)
            assert found["cancelled_at"] is None
