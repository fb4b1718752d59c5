"""The tenant's request log: what is kept of requests, who sees it, and that it never costs a request anything."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.errors import ServiceUnavailable
from app.models.member import Role
from app.services.api_requests import log, read
from app.services.api_requests.log import Entry, RequestLog
from app.services.demo.objects import ADMIN_KEY
from app.unit_of_work import transaction
from tests.integration.processing.conftest import PAYMENT, Caller, MakeKey
from tests.support.tenants import MemberClient, MerchantClient, make_member, make_merchant

PATH = "/api/v1/developers/requests"


@pytest.fixture
def merchant(demo: Flask) -> MerchantClient:
    return make_merchant(demo)


@pytest.fixture
def owner(demo: Flask, merchant: MerchantClient) -> MemberClient:
    return make_member(demo, merchant, Role.OWNER)


@pytest.fixture
def caller(demo: Flask, merchant: MerchantClient) -> Caller:
    return Caller(demo.test_client(), merchant.api_key)


def _flush(app: Flask) -> None:
    found: RequestLog = app.extensions["request_log"]
    found.flush()


def _listed(app: Flask, member: MemberClient, query: str = "") -> list[dict[str, Any]]:
    _flush(app)
    answer = app.test_client().get(f"{PATH}{query}", headers=member.headers)
    assert answer.status_code == 200, answer.data
    results: list[dict[str, Any]] = answer.json["results"]
    return results


def test_a_request_is_kept_with_its_answer(demo: Flask, caller: Caller, owner: MemberClient) -> None:
    made = caller.pay(key="order-1")
    caller.pay(key="order-1")
    caller.get(f"/payments/{made.json['id']}")
    read, repeat, first = _listed(demo, owner)
    assert (first["method"], first["route"], first["status"]) == ("POST", "/v1/payments", 201)
    assert first["request_id"] == made.headers["X-Request-Id"]
    assert first["object_id"] == repeat["object_id"] == read["object_id"] == made.json["id"]
    assert (first["is_replay"], repeat["is_replay"], repeat["status"]) == (False, True, 200)
    assert read["path"] == f"/v1/payments/{made.json['id']}" and read["route"] == "/v1/payments/<payment_id>"
    assert first["key_id"] is not None and first["user_id"] is None
    detail = demo.test_client().get(f"{PATH}/{first['id']}", headers=owner.headers).json
    kept = json.loads(detail["request"])
    assert (kept["amount"], kept["currency"]) == (49.99, "USD")
    assert json.loads(detail["answer"])["status"] == "completed"


def test_what_is_secret_or_personal_is_not_kept(demo: Flask, caller: Caller, owner: MemberClient) -> None:
    secret = "S3cret-" + uuid.uuid4().hex
    caller.pay(
        key=secret, customer_email="jane.doe@example.com", metadata={"pin": secret}, description=secret
    )
    caller.pay(key=secret + "2", surprise=secret)
    headers = {**owner.headers, "Content-Type": "application/json"}
    made = demo.test_client().post("/api/v1/api-keys", json={"name": "another"}, headers=headers).json
    for one in _listed(demo, owner):
        detail = demo.test_client().get(f"{PATH}/{one['id']}", headers=owner.headers).get_data(as_text=True)
        for hidden in (secret, "jane.doe@example.com", made["key"], caller.key):
            assert hidden not in detail
    assert "jane******" in demo.test_client().get(
        f"{PATH}/{_listed(demo, owner, '?status=2xx&method=POST')[1]['id']}", headers=owner.headers
    ).get_data(as_text=True)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?status=4xx", 2),
        ("?status=2xx", 2),
        ("?method=GET", 1),
        ("?route=/v1/payments", 3),
        ("?idempotency_key=k-1", 1),
        ("?idempotency_key=unknown", 0),
        ("?object_id=pay_abc", 1),
        ("?limit=1", 1),
    ],
)
def test_filters(demo: Flask, caller: Caller, owner: MemberClient, query: str, count: int) -> None:
    caller.pay(key="k-1")
    caller.pay()
    caller.pay(amount=0)
    caller.get("/payments/pay_abc")
    assert len(_listed(demo, owner, query)) == count


def test_pages(demo: Flask, caller: Caller, owner: MemberClient) -> None:
    for _ in range(3):
        caller.get("/payments")
    _flush(demo)
    client, found, cursor = demo.test_client(), [], ""
    while cursor is not None:
        page = client.get(f"{PATH}?limit=2{cursor and f'&cursor={cursor}'}", headers=owner.headers).json
        found += [one["id"] for one in page["results"]]
        cursor = page["next_cursor"]
    assert len(found) == len(set(found)) == 3


def test_a_phone_in_a_path_or_an_id_is_masked(demo: Flask, caller: Caller, owner: MemberClient) -> None:
    """The id of a saved method holds the customer's phone."""
    client, phone = demo.test_client(), "254712345678"
    customer = client.post("/api/v1/customers", json={"name": "Jane"}, headers=owner.headers).json["id"]
    path = f"/api/v1/customers/{customer}/payment-methods"
    body = {"provider": "mpesa", "details": {"phone_number": phone}}
    assert client.post(path, json=body, headers=owner.headers).status_code == 201
    assert client.put(f"{path}/mpesa_{phone}/default", headers=owner.headers).status_code == 200
    assert client.delete(f"{path}/mpesa_{phone}", headers=owner.headers).status_code == 200
    caller.post("/payments/254712345678/cancel")
    listed = _listed(demo, owner)
    assert len(listed) == 5
    for one in listed:
        detail = client.get(f"{PATH}/{one['id']}", headers=owner.headers).get_data(as_text=True)
        assert phone not in detail
    assert listed[-1]["object_id"] == customer


def test_a_path_that_no_database_stores(demo: Flask, caller: Caller, owner: MemberClient) -> None:
    for path in ("/payments/%00", "/payments/%ff", "/payments/%ed%a0%80"):
        caller.get(path)
    assert len(_listed(demo, owner)) == 3


def test_errors_have_their_code(demo: Flask, caller: Caller, owner: MemberClient) -> None:
    caller.pay(amount=0)
    (one,) = _listed(demo, owner)
    assert (one["status"], one["error_code"]) == (422, "validation_error")


def test_only_the_tenants_developers_see_it(
    demo: Flask, caller: Caller, owner: MemberClient, merchant: MerchantClient, make_key: MakeKey
) -> None:
    caller.get("/payments")
    (one,) = _listed(demo, owner)
    other = make_member(demo, make_merchant(demo), Role.OWNER)
    assert _listed(demo, other) == []
    client = demo.test_client()
    assert client.get(f"{PATH}/{one['id']}", headers=other.headers).status_code == 404
    cashier = make_member(demo, merchant, Role.CASHIER)
    assert client.get(PATH, headers=cashier.headers).status_code == 403


def test_reading_the_log_and_users_requests_are_not_kept(demo: Flask, owner: MemberClient) -> None:
    client = demo.test_client()
    client.get("/api/v1/accounts", headers=owner.user.headers)
    client.get("/v1/health")
    client.get("/v1/payments", headers={"X-API-Key": ADMIN_KEY + "x"})
    for _ in range(2):
        assert _listed(demo, owner) == []


def test_a_full_log_and_a_database_that_is_away_cost_no_request(
    demo: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[int] = []
    found = RequestLog(demo, dropped.append)
    monkeypatch.setattr(log, "MAX_WAITING", 3)
    monkeypatch.setattr(RequestLog, "_start", lambda _: None)
    entry = Entry({"object_id": None}, PAYMENT, b"{}")
    for _ in range(5):
        found.add(entry)
    assert dropped == [1, 1]

    def away(_: Any) -> None:
        raise ServiceUnavailable

    monkeypatch.setattr(log, "transaction", away)
    found.flush()
    assert dropped == [1, 1, 3]


def test_old_requests_are_deleted(demo: Flask, caller: Caller, owner: MemberClient) -> None:
    caller.get("/payments")
    assert len(_listed(demo, owner)) == 1
    with demo.app_context():
        transaction(lambda session: read.delete_old(session, limit=500))
        assert len(_listed(demo, owner)) == 1
        clock.travel(timedelta(days=30, minutes=1))
        assert transaction(lambda session: read.delete_old(session, limit=500)) >= 1
    clock.reset()
    assert _listed(demo, owner) == []
