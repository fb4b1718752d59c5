"""Payments of the Processing API as document 003 shows them."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from flask import Flask

from tests.integration.processing.conftest import PAYMENT, Caller, MakeKey

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
ID = re.compile(r"pay_[0-9a-f]{24}")


def test_a_payment_has_the_documents_fields(shop: Caller) -> None:
    answer = shop.pay()
    assert answer.status_code == 201
    body = answer.json
    assert ID.fullmatch(body.pop("id"))
    assert TIME.fullmatch(body.pop("created_at")) and TIME.fullmatch(body.pop("updated_at"))
    assert body == PAYMENT | {
        "object": "payment",
        "status": "completed",
        "idempotency_key": None,
        "failure_reason": None,
        "refunded_amount": 0.0,
        "livemode": False,
    }


@pytest.mark.parametrize("method", ["card", "bank_transfer", "wallet", "crypto"])
def test_each_payment_method_is_taken(shop: Caller, method: str) -> None:
    assert shop.paid(payment_method=method)["payment_method"] == method


def test_what_is_left_out_has_the_documents_default(shop: Caller) -> None:
    body = shop.paid(payment_method=..., metadata=...)
    assert body["payment_method"] == "card" and body["metadata"] == {}


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        (13.00, "USD", "card_declined"),
        (113.00, "USD", "card_declined"),
        (66.60, "EUR", "insufficient_funds"),
        (1066.6, "EUR", "insufficient_funds"),
        (9100.00, "GBP", "amount_exceeds_limit"),
        (25000, "JPY", "amount_exceeds_limit"),
    ],
)
def test_the_documents_amounts_fail(shop: Caller, amount: float, currency: str, reason: str) -> None:
    answer = shop.pay(amount=amount, currency=currency)
    assert answer.status_code == 402
    assert (answer.json["status"], answer.json["failure_reason"]) == ("failed", reason)
    assert answer.json["amount"] == amount and answer.json["object"] == "payment"
    assert shop.get(f"/payments/{answer.json['id']}").json == answer.json


@pytest.mark.parametrize("amount", [9000.00, 13.01, 66.61, 9100.50, 130.00])
def test_other_amounts_do_not(shop: Caller, amount: float) -> None:
    assert shop.paid(amount=amount)["status"] == "completed"


def test_a_payment_and_its_status_are_read(shop: Caller) -> None:
    made = shop.paid()
    assert shop.get(f"/payments/{made['id']}").json == made
    assert shop.get(f"/payments/{made['id']}/status").json == {
        "id": made["id"],
        "status": "completed",
        "failure_reason": None,
        "updated_at": made["updated_at"],
    }


@pytest.mark.parametrize("path", ["", "/status", "/cancel", "/refund"])
@pytest.mark.parametrize(
    ("payment_id", "status", "error_type"),
    [
        ("pay_abc123", 404, "not_found"),
        ("pay_000000000000000000000000", 404, "not_found"),
        ("pay_A1B2C3D4E5F6789012345678", 404, "not_found"),
        ("12345", 400, "invalid_request"),
        ("pmt_000000000000000000000000", 400, "invalid_request"),
    ],
)
def test_an_unknown_id(shop: Caller, path: str, payment_id: str, status: int, error_type: str) -> None:
    call = shop.post if path in ("/cancel", "/refund") else shop.get
    answer = call(f"/payments/{payment_id}{path}")
    assert answer.status_code == status
    error = answer.json["error"]
    assert (error["type"], error["status"]) == (error_type, status)
    if status == 404:
        assert error["message"] == f"Payment '{payment_id}' not found."


def test_payments_of_others_and_of_other_apis_are_not_found(shop: Caller, make_key: MakeKey) -> None:
    foreign = make_key().paid()["id"]
    own = shop.client.post(
        "/api/v1/payments/initialize",
        json={"provider": "cpay", "amount": 10, "currency": "USD", "customer": {"id": "c"}},
        headers={"X-TENANT-API-KEY": shop.key, "Idempotency-Key": uuid.uuid4().hex},
    ).json["data"]["id"]
    gateways = "pay_" + uuid.UUID(own).hex[:24]
    for payment_id in (foreign, gateways):
        for answer in (
            shop.get(f"/payments/{payment_id}"),
            shop.post(f"/payments/{payment_id}/cancel"),
            shop.post(f"/payments/{payment_id}/refund"),
        ):
            assert answer.status_code == 404, answer.data
    assert shop.get("/payments").json["pagination"]["total"] == 0


def test_a_payment_is_a_payment_of_the_gateway_too(shop: Caller) -> None:
    """With its UUID, of which the Processing API shows the first 24 digits."""
    made = shop.paid()
    headers = {"X-TENANT-API-KEY": shop.key}
    (listed,) = shop.client.get("/api/v1/payments", headers=headers).json["data"]["items"]
    assert uuid.UUID(listed["id"]).hex.startswith(made["id"].removeprefix("pay_"))
    assert (listed["amount"], listed["provider"], listed["payment_method"]) == ("49.99", "cpay", "card")


class TestIdempotency:
    def test_a_repeat_is_the_first_answer_with_200(self, shop: Caller) -> None:
        first, repeat = shop.pay(key="k-1"), shop.pay(key="k-1")
        assert (first.status_code, repeat.status_code) == (201, 200)
        assert first.json == repeat.json and first.json["idempotency_key"] == "k-1"
        for name in ("X-Idempotent-Replayed", "Idempotent-Replayed"):
            assert repeat.headers[name] == "true" and name not in first.headers
        assert shop.get("/payments").json["pagination"]["total"] == 1

    def test_a_decline_is_repeated_as_one(self, shop: Caller) -> None:
        first, repeat = shop.pay(key="k", amount=13), shop.pay(key="k", amount=13.00)
        assert (first.status_code, repeat.status_code) == (402, 402)
        assert first.json == repeat.json and repeat.headers["X-Idempotent-Replayed"] == "true"

    def test_another_body_is_refused(self, shop: Caller) -> None:
        shop.pay(key="k")
        answer = shop.pay(key="k", amount=50)
        assert answer.status_code == 422
        assert answer.json["error"]["type"] == "invalid_request" and "errors" not in answer.json["error"]

    def test_a_refused_body_does_not_use_up_the_key(self, shop: Caller) -> None:
        assert shop.pay(key="k", amount=0).status_code == 422
        assert shop.pay(key="k").status_code == 201

    def test_keys_of_tenants_are_their_own(self, shop: Caller, make_key: MakeKey) -> None:
        assert shop.pay(key="k").status_code == make_key().pay(key="k").status_code == 201


class TestCancel:
    def _waiting(self, shop: Caller) -> dict[str, Any]:
        made = shop.paid(metadata={"simulate": "pending"})
        assert made["status"] == "processing"
        return made

    def test_a_payment_that_waits_is_cancelled(self, shop: Caller) -> None:
        made = self._waiting(shop)
        answer = shop.post(f"/payments/{made['id']}/cancel")
        assert answer.status_code == 200 and answer.json["status"] == "cancelled"
        assert answer.json.keys() == made.keys()

    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
    def test_a_payment_that_has_ended_is_not(self, shop: Caller, status: str) -> None:
        made = {
            "completed": shop.paid,
            "failed": lambda: shop.pay(amount=13).json,
            "cancelled": lambda: shop.post(f"/payments/{self._waiting(shop)['id']}/cancel").json,
        }[status]()
        answer = shop.post(f"/payments/{made['id']}/cancel")
        assert answer.status_code == 409
        assert answer.json["error"] == {
            "type": "invalid_request",
            "message": f"Payment '{made['id']}' cannot be cancelled. Current status: '{status}'.",
            "status": 409,
        }


class TestList:
    def test_pages_and_filters(self, shop: Caller) -> None:
        made = [shop.paid(amount=amount)["id"] for amount in (1, 2, 3)]
        shop.pay(amount=13)
        shop.paid(amount=100, currency="JPY")
        page = shop.get("/payments?per_page=2&page=2&status=completed&currency=USD").json
        assert page["object"] == "list" and [one["id"] for one in page["data"]] == made[:1]
        assert page["pagination"] == {
            "page": 2,
            "per_page": 2,
            "total": 3,
            "total_pages": 2,
            "has_more": False,
        }
        everything = shop.get("/payments").json
        assert everything["pagination"]["total"] == 5 and everything["pagination"]["per_page"] == 10
        assert everything["data"][0]["currency"] == "JPY", "the newest comes first"
        assert shop.get("/payments?currency=jpy").json["pagination"]["total"] == 1

    @pytest.mark.parametrize("query", ["status=nonsense", "currency=XYZ", "page=7"])
    def test_what_is_not_there_is_an_empty_page(self, shop: Caller, query: str) -> None:
        page = shop.get(f"/payments?{query}").json
        assert page["data"] == [] and page["pagination"]["total_pages"] == 1

    @pytest.mark.parametrize(
        "query",
        ["page=0", "page=-1", "page=x", "page=1.5", "per_page=0", "per_page=101", "page=%D9%A1", "page="],
    )
    def test_a_page_that_cannot_be(self, shop: Caller, query: str) -> None:
        answer = shop.get(f"/payments?{query}")
        assert answer.status_code == 422
        (error,) = answer.json["error"]["errors"]
        assert (error["field"], error["code"]) == (query.partition("=")[0], "invalid_value")


def test_the_currency_decides_the_decimals(shop: Caller, demo: Flask) -> None:
    assert shop.pay(amount=500, currency="JPY").get_data(as_text=True).count('"amount":500,') == 1
    assert '"amount":25.0,' in shop.pay(amount=25).get_data(as_text=True)
