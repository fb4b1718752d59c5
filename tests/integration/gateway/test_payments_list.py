"""GET /payments and GET /payments/providers: whose, in which order, and how they are paged."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.integration.gateway.conftest import MerchantClient
from tests.support.factories import make_user, make_wallet
from tests.support.wallet_payments import pay


def listed(merchant: MerchantClient, query: str = "") -> dict[str, Any]:
    answer = merchant.get(query)
    assert answer.status_code == 200 and answer.json["success"] is True, answer.data
    data: dict[str, Any] = answer.json["data"]
    return data


@pytest.fixture
def ids(merchant: MerchantClient) -> list[str]:
    """Five payments' ids, newest first."""
    made = [
        merchant.paid(amount=n, customer={"phone": "+254700000000", "id": f"c{n % 2}"})["id"]
        for n in range(1, 6)
    ]
    return made[::-1]


def test_the_documents_envelope(merchant: MerchantClient, ids: list[str]) -> None:
    data = listed(merchant, "?provider=cpay&status=completed&page=1&per_page=20")
    assert set(data) == {"items", "pagination"}
    assert [item["id"] for item in data["items"]] == ids
    assert data["pagination"] == {
        "page": 1,
        "per_page": 20,
        "total": 5,
        "pages": 1,
        "has_next": False,
        "has_prev": False,
        "next_cursor": None,
    }
    assert data["items"][0] == merchant.get(f"/{ids[0]}").json["data"]


def test_pages(merchant: MerchantClient, ids: list[str]) -> None:
    second = listed(merchant, "?page=2&per_page=2")
    assert [item["id"] for item in second["items"]] == ids[2:4]
    pagination = second["pagination"]
    assert (pagination["pages"], pagination["has_next"], pagination["has_prev"]) == (3, True, True)
    past = listed(merchant, "?page=9&per_page=2")
    assert past["items"] == [] and past["pagination"]["total"] == 5 and not past["pagination"]["has_next"]


def test_cursors_walk_the_whole_list(merchant: MerchantClient, ids: list[str]) -> None:
    seen, query = [], "?per_page=2"
    while True:
        data = listed(merchant, query)
        seen += [item["id"] for item in data["items"]]
        cursor = data["pagination"]["next_cursor"]
        if cursor is None:
            break
        query = f"?per_page=2&cursor={cursor}"
        merchant.paid(amount=77)  # newer ones do not shift what is left
    assert seen == ids


def test_filters(merchant: MerchantClient, ids: list[str]) -> None:
    waiting = merchant.waiting()["id"]
    assert [item["id"] for item in listed(merchant, "?status=processing")["items"]] == [waiting]
    assert [item["id"] for item in listed(merchant, "?customer_id=c1")["items"]] == ids[::2]
    assert listed(merchant, "?customer_id=c1&status=processing")["items"] == []
    for nothing in ("?provider=mpesa", "?provider=nobody", "?status=paid", "?customer_id=c2"):
        data = listed(merchant, nothing)
        assert (data["items"], data["pagination"]["total"]) == ([], 0)


def test_other_tenants_payments_are_not_there(other_merchant: MerchantClient, ids: list[str]) -> None:
    assert ids and listed(other_merchant)["items"] == []


def test_a_page_is_at_most_a_hundred(merchant: MerchantClient, ids: list[str]) -> None:
    pagination = listed(merchant, "?per_page=5000")["pagination"]
    assert pagination["per_page"] == 100


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.5",
        "page=",
        "per_page=0",
        "per_page=ten",
        "per_page=-5",
        "page=１",
        "page=1&cursor=x",
        "page=2&offset=2",
        "cursor=not-a-cursor",
    ],
)
def test_bad_queries(merchant: MerchantClient, query: str) -> None:
    answer = merchant.get(f"?{query}")
    assert answer.status_code == 400 and answer.json["success"] is False


def test_a_user_sees_wallet_payments_in_the_same_envelope(app: Flask, client: FlaskClient) -> None:
    sender, recipient = make_user(app), make_user(app)
    source, wallet = make_wallet(app, sender, balance="10"), make_wallet(app, recipient)
    payment_id = pay(client, sender, source, wallet, 1).json["payment_id"]
    data = client.get("/api/v1/payments?per_page=500", headers=sender.headers).json["data"]
    assert [item["payment_id"] for item in data["items"]] == [payment_id]
    assert data["pagination"]["per_page"] == 100
    for query in ("provider=cpay", "cursor=x", "status=refunded"):
        assert client.get(f"/api/v1/payments?{query}", headers=sender.headers).status_code == 400


def test_list_without_a_credential_is_refused(client: FlaskClient) -> None:
    answer = client.get("/api/v1/payments")
    assert answer.status_code == 401 and answer.json["success"] is False


def test_providers(merchant: MerchantClient) -> None:
    answer = merchant.get("/providers")
    assert answer.status_code == 200 and answer.json["success"] is True
    known = {provider["name"]: provider for provider in answer.json["data"]}
    assert "KES" in known["cpay"]["currencies"]
    assert "sandbox-secret" not in answer.get_data(as_text=True)
