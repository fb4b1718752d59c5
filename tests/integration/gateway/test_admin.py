"""What operators see and do: callbacks, dead letters, the audit log, numbers, reconciliation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.unit_of_work import transaction
from tests.integration.gateway.conftest import CPay, MerchantClient
from tests.support.factories import SignedInUser, make_user

SOME_ID = "3f1d2a68-9b0c-4e57-8a41-0c2d5e6f7a80"

ROUTES = [
    ("GET", "/webhooks/events"),
    ("GET", f"/webhooks/events/{SOME_ID}"),
    ("GET", "/webhooks/dead-letter-queue"),
    ("POST", f"/webhooks/events/{SOME_ID}/retry"),
    ("GET", "/webhooks/statistics"),
    ("GET", "/admin/audit-logs"),
    ("GET", "/admin/statistics"),
    ("POST", "/admin/reconcile"),
    ("POST", "/admin/users/usr_0/suspend"),
    ("POST", "/admin/users/usr_0/reactivate"),
    ("POST", "/admin/users/usr_0/end-sessions"),
]


class OperatorClient:
    """An operator's requests."""

    def __init__(self, client: FlaskClient, operator_user: SignedInUser) -> None:
        self.client, self.headers = client, operator_user.headers

    def get(self, path: str) -> Any:
        answer = self.client.get(f"/api/v1{path}", headers=self.headers)
        assert answer.status_code == 200 and answer.json["success"] is True, answer.data
        return answer.json["data"]

    def post(self, path: str, **kwargs: Any) -> Any:
        return self.client.post(f"/api/v1{path}", headers=self.headers, **kwargs)


@pytest.fixture
def operator_client(client: FlaskClient, operator: SignedInUser) -> OperatorClient:
    return OperatorClient(client, operator)


@pytest.fixture
def event(merchant: MerchantClient, cpay: CPay, rows: Callable[..., list[Any]]) -> dict[str, Any]:
    """A callback that has come in and waits: its id, its payment, and what CPay sent."""
    payment = merchant.waiting()
    body = cpay.callback_body(payment)
    assert cpay.send(body).status_code == 200
    (row,) = rows(
        "SELECT id FROM provider_events WHERE provider_event_id = :id", id=json.loads(body)["event_id"]
    )
    return {"id": str(row.id), "payment": payment, "body": body.decode()}


def dead_letter(app: Flask, event_id: str) -> None:
    """As when the last attempt has failed."""
    values = {"id": event_id}

    def work(session: Any) -> None:
        session.execute(
            text("UPDATE provider_events SET state = 'dead' WHERE id = CAST(:id AS uuid)"), values
        )
        session.execute(text("UPDATE jobs SET state = 'dead' WHERE ref = :id"), values)

    with app.app_context():
        transaction(work)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_admin_routes_need_the_admin_scope(
    app: Flask, client: FlaskClient, merchant: MerchantClient, method: str, path: str
) -> None:
    user = make_user(app)
    for headers, status in (({}, 401), (merchant.headers, 401), (user.headers, 403)):
        answer = client.open(f"/api/v1{path}", method=method, headers=headers)
        assert answer.status_code == status and answer.json["success"] is False


def test_a_callback_is_listed_and_shown_in_full(
    operator_client: OperatorClient, event: dict[str, Any]
) -> None:
    items = operator_client.get("/webhooks/events?provider=cpay&state=received&limit=100")["items"]
    (found,) = (item for item in items if item["id"] == event["id"])
    assert (found["event_type"], found["is_verified"]) == ("payment.completed", True)
    assert "body" not in found
    whole = operator_client.get(f"/webhooks/events/{event['id']}")
    assert (whole["body"], whole["body_encoding"]) == (event["body"], "utf-8")
    assert (whole["method"], "path_token" in whole) == ("POST", False)


def test_lists_go_on_by_cursor(operator_client: OperatorClient, merchant: MerchantClient, cpay: CPay) -> None:
    for _ in range(3):
        cpay.send(cpay.callback_body(merchant.waiting()))
    first = operator_client.get("/webhooks/events?limit=2")
    second = operator_client.get(f"/webhooks/events?limit=2&cursor={first['next_cursor']}")
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == len(ids) >= 3


def test_unknown_events(operator_client: OperatorClient, client: FlaskClient, operator: SignedInUser) -> None:
    for path, method in ((f"events/{SOME_ID}", "GET"), (f"events/{SOME_ID}/retry", "POST")):
        answer = client.open(f"/api/v1/webhooks/{path}", method=method, headers=operator.headers)
        assert (answer.status_code, answer.json["error"]) == (404, "Webhook event not found")


def test_a_dead_letter_is_retried_and_completes_its_payment(
    app: Flask,
    operator_client: OperatorClient,
    merchant: MerchantClient,
    event: dict[str, Any],
    run_due_jobs: Callable[[], int],
    publish: Callable[[], None],
) -> None:
    dead_letter(app, event["id"])
    run_due_jobs()
    dead = operator_client.get("/webhooks/dead-letter-queue?limit=100")["items"]
    assert event["id"] in {item["id"] for item in dead}
    assert operator_client.get("/webhooks/statistics")["dead_letters"]["count"] >= 1
    answer = operator_client.post(f"/webhooks/events/{event['id']}/retry")
    assert (answer.status_code, answer.json["data"]["state"]) == (200, "received")
    run_due_jobs()
    assert operator_client.get(f"/webhooks/events/{event['id']}")["state"] == "processed"
    assert merchant.get(f"/{event['payment']['id']}").json["data"]["status"] == "completed"
    assert operator_client.post(f"/webhooks/events/{event['id']}/retry").status_code == 409
    publish()
    (entry,) = operator_client.get(f"/admin/audit-logs?type=provider_event.retried&object_id={event['id']}")[
        "items"
    ]
    assert entry["actor"].startswith("usr_")


def test_webhook_statistics(operator_client: OperatorClient, cpay: CPay, event: dict[str, Any]) -> None:
    before = operator_client.get("/webhooks/statistics")
    cpay.send(event["body"].encode())
    after = operator_client.get("/webhooks/statistics?hours=1")
    assert after["repeats"] == before["repeats"] + 1
    assert after["total"] == sum(after["by_provider"].values()) == sum(after["by_state"].values())
    assert after["waiting"]["count"] >= 1 and after["waiting"]["oldest_received_at"].endswith("Z")


def test_the_audit_log_of_one_payment(
    operator_client: OperatorClient, merchant: MerchantClient, publish: Callable[[], None]
) -> None:
    payment_id = merchant.paid()["id"]
    publish()
    items = operator_client.get(f"/admin/audit-logs?object_id={payment_id}")["items"]
    assert items[-1]["event_type"] == "payment.initiated"
    assert "payment.completed" in {item["event_type"] for item in items}
    assert {item["tenant_id"] for item in items} == {str(merchant.tenant_id)}
    assert [item["sequence"] for item in items] == sorted((item["sequence"] for item in items), reverse=True)
    only = operator_client.get(f"/admin/audit-logs?tenant_id={merchant.tenant_id}&type=payment.completed")[
        "items"
    ]
    assert [item["object_id"] for item in only] == [payment_id]


def test_the_audit_log_says_who_cancelled_from_which_address(
    operator_client: OperatorClient, merchant: MerchantClient, publish: Callable[[], None]
) -> None:
    """Breaks when a merchant's decision is recorded by name alone."""
    payment_id = merchant.waiting()["id"]
    address = {"REMOTE_ADDR": "198.51.100.7"}
    answer = merchant.post(f"/{payment_id}/cancel", environ_overrides=address)
    assert answer.status_code == 200, answer.data
    publish()
    (entry,) = operator_client.get(f"/admin/audit-logs?object_id={payment_id}&type=payment.cancelled")[
        "items"
    ]
    assert entry["actor"].startswith("key_") and entry["address"] == "198.51.100.7"


def test_the_audit_log_goes_on_below(
    operator_client: OperatorClient, merchant: MerchantClient, publish: Callable[[], None]
) -> None:
    merchant.paid()
    publish()
    first = operator_client.get(f"/admin/audit-logs?tenant_id={merchant.tenant_id}&limit=1")
    second = operator_client.get(
        f"/admin/audit-logs?tenant_id={merchant.tenant_id}&limit=1&before={first['next_before']}"
    )
    assert second["items"][0]["sequence"] < first["items"][0]["sequence"] == first["next_before"]


def test_statistics_count_what_happened(operator_client: OperatorClient, merchant: MerchantClient) -> None:
    before = operator_client.get("/admin/statistics")
    merchant.refund(merchant.paid(amount="250.00", currency="ZAR")["id"], amount="50.00")
    merchant.waiting()
    after = operator_client.get("/admin/statistics?days=1")
    assert after["payments"]["total"] == before["payments"]["total"] + 2
    assert after["payments"]["by_status"]["partially_refunded"] >= 1
    assert sum(after["payments"]["by_day"].values()) == after["payments"]["total"]
    was = before["amounts"].get("ZAR", {"collected": "0.00", "refunded": "0.00"})
    assert float(after["amounts"]["ZAR"]["collected"]) == float(was["collected"]) + 250
    assert float(after["amounts"]["ZAR"]["refunded"]) == float(was["refunded"]) + 50
    assert after["open_attempts"]["pending"] >= 1


def test_reconciliation_on_demand(operator_client: OperatorClient) -> None:
    for body in ({}, {"provider": "cpay"}):
        answer = operator_client.post("/admin/reconcile", json=body)
        assert answer.status_code == 200 and isinstance(answer.json["data"], dict), answer.data
    assert operator_client.post("/admin/reconcile").status_code == 200
    assert operator_client.post("/admin/reconcile", json={"provider": 5}).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/events?state=lost",
        "/webhooks/events?cursor=x",
        "/webhooks/events?limit=101",
        "/webhooks/events?payment_id=7b0b9c0e5b1f4d3595a30d6f2f7d1c11",
        "/webhooks/statistics?hours=0",
        "/admin/audit-logs?before=-1",
        "/admin/audit-logs?tenant_id=x",
        "/admin/statistics?days=1000",
    ],
)
def test_bad_queries(client: FlaskClient, operator: SignedInUser, path: str) -> None:
    answer = client.get(f"/api/v1{path}", headers=operator.headers)
    assert answer.status_code == 400 and answer.json["error"] == "Validation error"
