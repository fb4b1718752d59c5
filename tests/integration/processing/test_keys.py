"""Credentials of the Processing API: how they are sent, what is refused, and what a restricted key may do on every surface."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models.tenant import Permission
from app.services.demo.objects import ADMIN_KEY, EXPIRED_KEY, READ_ONLY_KEY, STANDARD_KEY
from app.services.tenants import key_changes, suspension
from tests.integration.processing.conftest import PAYMENT, Caller, MakeKey


@pytest.fixture
def client(demo: Flask) -> FlaskClient:
    return demo.test_client()


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {STANDARD_KEY}"},
        {"X-API-Key": STANDARD_KEY},
        {"Authorization": f"Bearer {STANDARD_KEY}", "X-API-Key": STANDARD_KEY},
    ],
)
def test_a_key_is_sent_either_way(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.get("/v1/payments", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({}, 401, "API key"),
        ({"X-API-Key": "nonsense"}, 401, "not valid"),
        ({"X-API-Key": STANDARD_KEY + "x"}, 401, "not valid"),
        ({"Authorization": f"Basic {STANDARD_KEY}"}, 401, "Bearer"),
        ({"Authorization": f"Bearer {STANDARD_KEY}", "X-API-Key": ADMIN_KEY}, 401, "different"),
        ({"Authorization": "Bearer tok_" + "a" * 43}, 401, "access token"),
        ({"X-API-Key": EXPIRED_KEY}, 403, "deactivated"),
        ({"X-API-Key": "sk_live_4eC39HqLyjWDarjtT1zdp7dc"}, 403, "Live API keys are not permitted"),
    ],
)
def test_a_key_that_is_refused(client: FlaskClient, headers: dict[str, str], status: int, words: str) -> None:
    answer = client.get("/v1/payments", headers=headers)
    assert answer.status_code == status
    error = answer.json["error"]
    assert (error["type"], error["status"]) == ("authentication_error", status) and words in error["message"]
    assert "X-RateLimit-Limit" not in answer.headers


def test_a_key_that_was_good_once(demo: Flask, shop: Caller, make_key: MakeKey) -> None:
    """Payments are taken from keys that were right lately without looking them up first."""
    shop.paid()
    with demo.app_context():
        key_changes.revoke_api_key(shop.key[:16])
    other = make_key()
    other_tenant = other.paid() and _tenant_of(demo, other)
    with demo.app_context():
        suspension.suspend_tenant(other_tenant, reason="test", operator=_operator())
    for caller in (shop, other):
        for answer in (caller.pay(), caller.get("/payments")):
            assert answer.status_code == 403 and "deactivated" in answer.json["error"]["message"]


def _tenant_of(demo: Flask, caller: Caller) -> Any:
    from app.services.tenants import api_keys

    with demo.app_context():
        return api_keys.authenticate(caller.key).tenant_id


def _operator() -> Any:
    from app.principal import Principal

    return Principal.of_command("olive")


def test_the_demos_keys_may_do_what_the_document_says(client: FlaskClient) -> None:
    def status(key: str, method: str, path: str, **kwargs: Any) -> int:
        answer = client.open(f"/v1{path}", method=method, headers={"X-API-Key": key}, **kwargs)
        return answer.status_code

    for key in (STANDARD_KEY, ADMIN_KEY):
        assert status(key, "POST", "/payments", json=PAYMENT) == 201
        assert status(key, "GET", "/payments") == 200
    assert status(READ_ONLY_KEY, "GET", "/payments") == 200
    paid = client.post("/v1/payments", json=PAYMENT, headers={"X-API-Key": STANDARD_KEY}).json["id"]
    assert status(READ_ONLY_KEY, "GET", f"/payments/{paid}") == 200
    for path in ("/payments", f"/payments/{paid}/cancel", f"/payments/{paid}/refund"):
        assert status(READ_ONLY_KEY, "POST", path, json=PAYMENT) == 403
    assert status(STANDARD_KEY, "POST", "/test/reset") == 403


def test_the_permission_that_is_missing_is_named(reader: Caller) -> None:
    error = reader.pay().json["error"]
    assert (error["type"], error["status"]) == ("authorization_error", 403)
    assert "payments:write" in error["message"]


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        (Permission.PAYMENTS_READ, {"GET /payments"}),
        (Permission.PAYMENTS_WRITE, {"POST /payments/initialize", "POST /payments/{}/cancel"}),
        (Permission.REFUNDS_WRITE, {"POST /payments/{}/refund"}),
        (Permission.WEBHOOKS_MANAGE, set()),
    ],
)
def test_a_restricted_key_is_restricted_in_the_gateway_api(
    make_key: MakeKey, permission: Permission, allowed: set[str]
) -> None:
    restricted = make_key(permission)
    unknown = "0195f3a0-b1c2-7d8e-9f00-112233445566"
    body = {"provider": "cpay", "amount": 10, "currency": "USD", "customer": {"id": "c"}}
    for call in (
        "GET /payments",
        "POST /payments/initialize",
        "POST /payments/{}/cancel",
        "POST /payments/{}/refund",
    ):
        method, path = call.split()
        answer = restricted.client.open(
            f"/api/v1{path.format(unknown)}",
            method=method,
            headers={"X-TENANT-API-KEY": restricted.key, "Idempotency-Key": "k"},
            json=(body if path.endswith("initialize") else {}) if method == "POST" else None,
        )
        if call in allowed:
            assert answer.status_code in (200, 201, 404), answer.data
        else:
            assert answer.status_code == 403 and "lacks the permission" in answer.json["error"]


def test_a_restricted_key_alone_has_no_scopes_of_the_tenant_api(demo: Flask, make_key: MakeKey) -> None:
    for permissions, status in (
        ((Permission.PAYMENTS_READ,), 403),
        ((Permission.API_ADMIN,), 200),
        ((), 200),
    ):
        caller = make_key(*permissions)
        headers = {"X-TENANT-ID": str(_tenant_of(demo, caller)), "X-TENANT-API-KEY": caller.key}
        assert caller.client.get("/api/v1/wallet/balance", headers=headers).status_code == status


def test_the_headers_of_every_answer(client: FlaskClient, shop: Caller) -> None:
    answers = [
        client.get("/v1/api-info"),
        client.get("/v1/nothing-here"),
        client.get("/v1/payments"),
        client.delete("/v1/payments"),
        shop.pay(),
        shop.pay(amount=0),
        shop.get("/payments/pay_1"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 401, 405, 201, 422, 404]
    for answer in answers:
        assert answer.headers["X-Request-Id"].startswith("req_")
        assert re.fullmatch(r"\d+\.\dms", answer.headers["X-Response-Time"])
        assert answer.headers["X-API-Version"] == "2024-01-15"
    own = client.get("/v1/health", headers={"X-Request-Id": "mine-1"})
    assert own.headers["X-Request-Id"] == "mine-1"
    assert "X-API-Version" not in client.get("/api/v1/health").headers


def test_what_is_not_there(client: FlaskClient) -> None:
    error = client.get("/v1/nothing-here").json["error"]
    assert (error["type"], error["status"]) == ("not_found", 404)
    error = client.delete("/v1/payments").json["error"]
    assert (error["type"], error["status"]) == ("method_not_allowed", 405)


def test_health_and_info(client: FlaskClient) -> None:
    health = client.get("/v1/health").json
    assert health.keys() == {"status", "service", "version", "timestamp", "checks"}
    assert (health["service"], health["version"]) == ("payment-api", "2.4.0")
    # No relay runs in this test.
    assert health["checks"] == {"database": "connected", "cache": "connected", "queue": "disconnected"}
    assert client.get("/v1/health").status_code == 503 and health["status"] == "unhealthy"
    info = client.get("/v1/api-info").json
    assert info == {
        "name": "Payment Processing API",
        "version": "2.4.0",
        "api_version": "2024-01-15",
        "environment": "test",
        "documentation_url": "http://localhost/docs",
        "endpoints": {
            "payments": "/v1/payments",
            "refunds": "/v1/payments/{id}/refund",
            "webhooks": "/v1/webhooks",
            "health": "/v1/health",
            "oauth": "/v1/oauth",
        },
        "supported_currencies": ["USD", "EUR", "GBP", "JPY", "CAD", "AUD", "INR"],
        "supported_payment_methods": ["card", "bank_transfer", "wallet", "crypto"],
    }


def test_an_operator_makes_a_restricted_key(demo: Flask, shop: Caller) -> None:
    tenant_id = str(_tenant_of(demo, shop))
    command = ("tenants", "add-key", tenant_id, "reports", "--permission", "payments:read")
    done = demo.test_cli_runner().invoke(args=command)
    assert done.exit_code == 0, done.output
    restricted = Caller(shop.client, done.output.split()[-1])
    assert (restricted.get("/payments").status_code, restricted.pay().status_code) == (200, 403)
    rotated = demo.test_cli_runner().invoke(args=("tenants", "rotate-key", restricted.key[:16]))
    assert Caller(shop.client, rotated.output.split("now: ")[1].split()[0]).pay().status_code == 403
    refused = demo.test_cli_runner().invoke(args=(*command[:-1], "everything"))
    assert refused.exit_code != 0
