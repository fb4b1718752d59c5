"""Endpoints of merchants over HTTP: registered, read, changed, deleted; and by whom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models.tenant import Permission
from app.services.tenants import key_changes
from tests.support import database
from tests.support.tenants import MerchantClient, make_merchant
from tests.support.waiting import wait_until
from tests.support.webhooks import ENDPOINTS, register, simulate

URL = "http://127.0.0.1:9/hook"


def test_an_endpoint_is_registered_listed_changed_and_deleted(
    client: FlaskClient, merchant: MerchantClient, rows
) -> None:
    made = register(client, merchant, URL, ["refund.completed", "payment.completed"])
    assert made["id"].startswith("we_") and len(made["id"]) == 27
    assert made["secret"].startswith("whsec_") and made["status"] == "enabled"
    assert made["events"] == ["payment.completed", "refund.completed"]
    secret = made.pop("secret")
    where = f"{ENDPOINTS}/{made['id']}"
    assert client.get(ENDPOINTS, headers=merchant.bearer).json == {
        "object": "list",
        "data": [made],
        "total": 1,
    }
    assert client.get(where, headers=merchant.bearer).json == made  # without the secret
    ((stored,),) = rows(
        "SELECT to_jsonb(e)::text FROM webhook_endpoints e WHERE tenant_id = :t", t=merchant.tenant_id
    )
    assert secret not in stored and secret.removeprefix("whsec_") not in stored
    changed = client.patch(where, headers=merchant.bearer, json={"events": None}).json
    assert changed["events"] is None and changed["url"] == URL
    deleted = client.delete(where, headers=merchant.bearer)
    assert (deleted.status_code, deleted.json) == (
        200,
        {"id": made["id"], "object": "webhook_endpoint", "deleted": True},
    )
    assert client.get(where, headers=merchant.bearer).status_code == 404
    assert client.delete(where, headers=merchant.bearer).status_code == 404
    assert client.get(ENDPOINTS, headers=merchant.bearer).json["total"] == 0


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "body", "invalid_body"),
        ({"events": ["payment.completed"]}, "url", "required"),
        ({"url": 5}, "url", "invalid_type"),
        ({"url": " "}, "url", "empty_value"),
        ({"url": "https://example.com/" + "x" * 2048}, "url", "too_long"),
        ({"url": "ftp://example.com/"}, "url", "invalid_scheme"),
        ({"url": "http://example.com/"}, "url", "invalid_scheme"),
        ({"url": "https://user:pw@example.com/"}, "url", "invalid_format"),
        ({"url": "https://10.0.0.7/"}, "url", "invalid_value"),
        ({"url": URL, "events": []}, "events", "invalid_value"),
        ({"url": URL, "events": "payment.completed"}, "events", "invalid_type"),
        ({"url": URL, "events": ["payment.eaten"]}, "events", "invalid_value"),
        ({"url": URL, "secret": "mine"}, "secret", "unknown_field"),
    ],
)
def test_what_is_not_valid_is_named_and_registers_nothing(
    client: FlaskClient, merchant: MerchantClient, body: Any, field: str, code: str
) -> None:
    answered = client.post(ENDPOINTS, headers=merchant.bearer, json=body)
    assert answered.status_code == 422, answered.json
    (error,) = answered.json["error"]["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert client.get(ENDPOINTS, headers=merchant.bearer).json["total"] == 0


def test_endpoints_need_their_permission_and_are_one_tenants(
    app: Flask, client: FlaskClient, merchant: MerchantClient
) -> None:
    made = register(client, merchant, URL)
    with app.app_context():
        _, key = key_changes.add_api_key(
            merchant.tenant_id, "other", permissions=[Permission.PAYMENTS_READ, Permission.API_ADMIN]
        )
        _, managing = key_changes.add_api_key(
            merchant.tenant_id, "managing", permissions=[Permission.WEBHOOKS_MANAGE]
        )
    restricted = client.get(ENDPOINTS, headers={"X-API-Key": key})
    assert restricted.status_code == 403 and "webhooks:manage" in restricted.json["error"]["message"]
    body = {"event_type": "payment.completed", "payload": {}}
    refused = client.post("/v1/webhooks/simulate", headers={"X-API-Key": managing}, json=body)
    assert refused.status_code == 403 and "api:admin" in refused.json["error"]["message"]
    assert client.get(ENDPOINTS).status_code == 401
    other = make_merchant(app)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate-secret"), ("POST", "/disable")):
        answered = client.open(f"{ENDPOINTS}/{made['id']}{path}", method=method, headers=other.bearer)
        assert answered.status_code == 404, (method, path)


def test_the_query_of_a_url_is_not_in_the_log(
    client: FlaskClient, merchant: MerchantClient, publish: Callable[[], None], rows: Any
) -> None:
    made = register(client, merchant, f"{URL}?token=hush")
    assert made["url"] == f"{URL}?token=hush"
    client.post(f"{ENDPOINTS}/{made['id']}/test", headers=merchant.bearer)
    client.post(f"{ENDPOINTS}/{made['id']}/disable", headers=merchant.bearer)
    publish()
    logged = rows(
        "SELECT type, data->>'url' FROM events WHERE tenant_id = :t AND type LIKE 'webhook%'",
        t=merchant.tenant_id,
    )
    assert len(logged) == 3 and {url for _, url in logged} == {URL}


def test_a_tenant_has_sixteen_endpoints_at_most(
    app: Flask, client: FlaskClient, merchant: MerchantClient, settings: dict[str, str]
) -> None:
    """Also when they come at once: a registration waits for another one of the tenant."""
    for _ in range(15):
        register(client, merchant, URL)
    waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    answered: list[int] = []

    def another() -> None:
        answer = app.test_client().post(ENDPOINTS, headers=merchant.bearer, json={"url": URL})
        answered.append(answer.status_code)

    thread = threading.Thread(target=another)
    with (
        database.connection(settings, is_autocommit=False) as other,
        database.connection(settings) as looking,
    ):
        locking = "SELECT id FROM tenants WHERE id = %s FOR NO KEY UPDATE"
        database.run(other, locking, str(merchant.tenant_id))
        thread.start()
        wait_until(lambda: answered or database.one(looking, waits), "the registration to wait")
        assert answered == []
    thread.join()
    assert answered == [201]
    assert client.post(ENDPOINTS, headers=merchant.bearer, json={"url": URL}).status_code == 400


def test_simulating_names_the_targets_and_sends_nothing_else(
    client: FlaskClient, merchant: MerchantClient
) -> None:
    wanting = register(client, merchant, URL)
    register(client, merchant, URL, ["refund.completed"])
    said = simulate(client, merchant)
    assert [target["endpoint_id"] for target in said["delivery_targets"]] == [wanting["id"]]
    assert said["signature"] == said["delivery_targets"][0]["signature"]
    event = said["event"]
    assert event["data"] == {"payment": {"id": "pay_test", "amount": 99.99}}
    assert (event["type"], event["object"], event["pending_webhooks"]) == ("payment.completed", "event", 1)
    assert event["livemode"] is False and event["api_version"] == "2024-01-15"


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (b"{}", "body", "invalid_body"),
        (b'{"payload": {}}', "event_type", "required"),
        (b'{"event_type": "payment.eaten"}', "event_type", "invalid_value"),
        (b'{"event_type": "webhook_endpoint.test"}', "event_type", "invalid_value"),
        (b'{"event_type": "payment.failed", "payload": []}', "payload", "invalid_type"),
        (b'{"event_type": "payment.failed", "payload": {"a": 1e300}}', "payload", "invalid_value"),
        (
            b'{"event_type": "payment.failed", "payload": {"a": 36893488147419103232}}',
            "payload",
            "invalid_value",
        ),
        (
            b'{"event_type": "payment.failed", "payload": {"a": "4111111111111111"}}',
            "payload",
            "card_data_not_allowed",
        ),
        (
            b'{"event_type": "payment.failed", "payload": {"a": "%s"}}' % (b"x" * 16_384),
            "payload",
            "too_long",
        ),
    ],
)
def test_what_cannot_be_simulated(
    client: FlaskClient, merchant: MerchantClient, body: bytes, field: str, code: str
) -> None:
    answered = client.post(
        "/v1/webhooks/simulate", headers=merchant.bearer, data=body, content_type="application/json"
    )
    assert answered.status_code == 422, answered.json
    (error,) = answered.json["error"]["errors"]
    assert (error["field"], error["code"]) == (field, code)
