"""The return page: it shows the payer status and nothing else."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.models.payment import PaymentStatus
from app.services.payments.payer_status import PAYER_STATUSES
from app.unit_of_work import transaction
from tests.support.tenants import fund_merchant, make_merchant

CUSTOMER = {"phone": "+254712345678", "email": "jane.roe@example.com", "name": "Jane Roe", "id": "cust-77"}

Pay = Callable[..., str]


@pytest.fixture
def pay(app: Flask, client: FlaskClient) -> Pay:
    """`pay(amount)`: the id of a payment through CPay."""
    merchant = make_merchant(app)
    fund_merchant(app, merchant, 1_000_000)

    def make(amount: object = 125, **metadata: Any) -> str:
        body = {
            "provider": "cpay",
            "amount": amount,
            "currency": "KES",
            "customer": CUSTOMER,
            "metadata": metadata,
        }
        headers = merchant.headers | {"Idempotency-Key": uuid.uuid4().hex}
        answer = client.post("/api/v1/payments/initialize", json=body, headers=headers)
        payment_id: str = answer.get_json()["data"]["id"]
        return payment_id

    return make


def _set(app: Flask, payment_id: str, **values: str | None) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in values)
    statement = text(f"UPDATE payments SET {changes} WHERE id = :id")
    with app.app_context():
        transaction(lambda s: s.execute(statement, {"id": payment_id, **values}))


@pytest.mark.parametrize(
    ("amount", "shown", "is_refreshed"),
    [
        (125, "The payment is completed", False),
        (7103, "is being processed", True),
        (113, "has failed", False),
    ],
    ids=["paid", "open", "declined"],
)
def test_return_page_shows_the_payer_status(
    client: FlaskClient, pay: Pay, amount: int, shown: str, is_refreshed: bool
) -> None:
    page = client.get(f"/payments/{pay(amount)}/return")
    words = page.get_data(as_text=True)
    assert page.status_code == 200 and page.mimetype == "text/html" and shown in words
    assert ('http-equiv="refresh"' in words) is is_refreshed
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("status", PaymentStatus)
def test_return_page_has_a_text_for_every_status(
    app: Flask, client: FlaskClient, pay: Pay, status: str
) -> None:
    payment_id = pay()
    _set(app, payment_id, status=status)
    words = client.get(f"/payments/{payment_id}/return").get_data(as_text=True)
    assert ('http-equiv="refresh"' in words) is (PAYER_STATUSES[status] == "open")
    assert ("Thank you" in words) is (PAYER_STATUSES[status] in ("open", "completed"))


def test_payment_in_review_is_not_shown_as_failed(app: Flask, client: FlaskClient, pay: Pay) -> None:
    payment_id = pay(113)
    statement = text(
        "INSERT INTO payment_reviews (id, payment_id, reason, opened_at, opened_by) "
        "VALUES (gen_random_uuid(), :id, 'late_success', now(), 'system')"
    )
    with app.app_context():
        transaction(lambda s: s.execute(statement, {"id": payment_id}))
    assert b"has failed" not in client.get(f"/payments/{payment_id}/return").data


def test_return_page_shows_no_personal_data(client: FlaskClient, pay: Pay) -> None:
    payment_id = pay(order_id="ORD-SECRET-1")
    words = client.get(f"/payments/{payment_id}/return").get_data(as_text=True)
    for private in (*CUSTOMER.values(), "ORD-SECRET-1", "125", "KES", "cpay", payment_id):
        assert private not in words


def test_what_providers_append_is_ignored(client: FlaskClient, pay: Pay) -> None:
    payment_id = pay(113)
    plain = client.get(f"/payments/{payment_id}/return").data
    query = "?trxref=x&reference=<script>alert(1)</script>&status=success&OrderTrackingId=1&session_id=cs_1"
    assert client.get(f"/payments/{payment_id}/return{query}").data == plain


def test_an_unknown_payment_is_a_page_too(client: FlaskClient) -> None:
    page = client.get(f"/payments/{uuid.uuid4()}/return")
    assert page.status_code == 404 and page.mimetype == "text/html"
    assert "There is no such payment" in page.get_data(as_text=True)


@pytest.mark.parametrize("name", ["pmt_x", "1", "return.css"])
def test_other_ids_have_no_page(client: FlaskClient, name: str) -> None:
    assert client.get(f"/payments/{name}/return").status_code == 404


def test_it_works_without_javascript_and_loads_nothing_from_elsewhere(client: FlaskClient, pay: Pay) -> None:
    page = client.get(f"/payments/{pay()}/return")
    words = page.get_data(as_text=True)
    assert "<script" not in words and "style=" not in words and "//" not in words
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    (style,) = re.findall(r'href="([^"]+)"', words)
    answer = client.get(style)
    assert answer.status_code == 200 and answer.mimetype == "text/css" and b"url(" not in answer.data
