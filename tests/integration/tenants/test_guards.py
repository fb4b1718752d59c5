"""Guards: merchants are admitted by their keys, users by their tokens, operators by their scope; all others are
refused."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.services.demo.objects import API_KEY, TENANT_ID
from app.services.identity import scopes
from app.services.tenants import api_keys, key_changes
from tests.integration.tenants.conftest import probed
from tests.support.factories import SignedInUser, make_user
from tests.support.tenants import MerchantClient, make_merchant

ROUTES = ("merchant", "either")


def _get(app: Flask, route: str, headers: dict[str, str] | None = None) -> Any:
    return app.test_client().get(f"/api/v1/probe/{route}", headers=headers or {})


@pytest.fixture
def user(app: Flask) -> SignedInUser:
    return make_user(app)


@pytest.mark.parametrize("route", ROUTES)
def test_a_key_opens_as_header_or_as_bearer(probe_app: Flask, merchant: MerchantClient, route: str) -> None:
    with probe_app.app_context():
        tenant_id, key_id, *_ = api_keys.authenticate(merchant.api_key)
    expected = {"tenant": str(tenant_id), "key": str(key_id)}
    for headers in (merchant.headers, merchant.bearer, merchant.headers | merchant.bearer):
        assert _get(probe_app, route, headers).get_json() == expected


@pytest.mark.parametrize("route", ROUTES)
def test_two_keys_that_differ_are_refused(
    probe_app: Flask, app: Flask, merchant: MerchantClient, route: str
) -> None:
    other = make_merchant(app)
    assert _get(probe_app, route, merchant.headers | other.bearer).status_code == 401


@pytest.mark.parametrize("route", ROUTES)
def test_a_bad_credential_is_401_in_every_mode(
    probe_app: Flask, production_app: Flask, demo_app: Flask, merchant: MerchantClient, route: str
) -> None:
    bad = [
        {"X-TENANT-API-KEY": ""},
        {"X-TENANT-API-KEY": "nonsense"},
        {"X-TENANT-API-KEY": merchant.api_key[:-1]},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer a.b.c"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": ""},
        {"Authorization": merchant.api_key},
        merchant.headers | {"Authorization": "Bearer nonsense"},
        merchant.headers | {"Authorization": "Bearer a.b.c"},
        merchant.headers | {"Authorization": "Basic eA=="},
    ]
    for app in (probe_app, production_app, demo_app):
        codes = [_get(app, route, headers).status_code for headers in bad]
        assert codes == [401] * len(bad), (app.config["GATEWAY_ENV"], codes)


def test_an_answer_has_the_surface_s_shape_and_no_key(probe_app: Flask, merchant: MerchantClient) -> None:
    answer = _get(probe_app, "merchant", {"X-TENANT-API-KEY": merchant.api_key[:-2] + "zz"})
    assert answer.get_json() == {"success": False, "error": "The API key is not valid."}
    assert merchant.api_key[17:-2] not in answer.get_data(as_text=True)


@pytest.mark.parametrize("route", ROUTES)
def test_no_credential_is_the_demo_tenant_in_demo_only(
    probe_app: Flask, production_app: Flask, demo_app: Flask, route: str
) -> None:
    assert _get(demo_app, route).get_json() == {"tenant": str(TENANT_ID), "key": None}
    assert _get(probe_app, route).status_code == 401
    assert _get(production_app, route).status_code == 401


def test_demo_without_its_data_refuses_requests(settings: dict[str, str]) -> None:
    empty = probed({**settings, "GATEWAY_ENV": "demo"})
    answer = _get(empty, "merchant")
    assert answer.status_code == 401 and "flask demo load" in answer.get_json()["error"]


def test_the_demo_key_opens_the_demo_and_never_production(
    demo_app: Flask, demo_settings: dict[str, str]
) -> None:
    """Even on a database that was a demo's."""
    headers = {"X-TENANT-API-KEY": API_KEY}
    answer = _get(demo_app, "merchant", headers).get_json()
    assert answer["tenant"] == str(TENANT_ID) and answer["key"]
    production = probed({**demo_settings, "GATEWAY_ENV": "production", "REALTIME": "external"})
    assert _get(production, "merchant", headers).status_code == 401
    assert _get(production, "merchant").status_code == 401


def test_user_tokens_are_accepted_on_user_routes(probe_app: Flask, user: SignedInUser) -> None:
    assert _get(probe_app, "either", user.headers).get_json() == {"user": user.public_id}
    refused = _get(probe_app, "merchant", user.headers)
    assert refused.status_code == 403 and "API key" in refused.get_json()["error"]


def test_ended_session_is_refused_on_every_route(probe_app: Flask, user: SignedInUser) -> None:
    probe_app.test_client().post("/api/v1/auth/logout", headers=user.headers)
    assert _get(probe_app, "either", user.headers).status_code == 401
    assert _get(probe_app, "operator", user.headers).status_code == 401


def test_a_user_and_a_key_at_once_are_refused(
    probe_app: Flask, user: SignedInUser, merchant: MerchantClient
) -> None:
    for route in ROUTES:
        assert _get(probe_app, route, user.headers | merchant.headers).status_code == 403
        bad_key = user.headers | {"X-TENANT-API-KEY": "nonsense"}
        assert _get(probe_app, route, bad_key).status_code in (401, 403)


def test_operators_are_users_with_the_scope_at_this_moment(
    probe_app: Flask, user: SignedInUser, merchant: MerchantClient
) -> None:
    assert _get(probe_app, "operator").status_code == 401
    assert _get(probe_app, "operator", merchant.headers).status_code == 401
    assert _get(probe_app, "operator", merchant.bearer).status_code == 401
    assert _get(probe_app, "operator", user.headers).status_code == 403
    with probe_app.app_context():
        assert scopes.set_scope(user.email.upper(), "admin", is_granted=True)
        assert not scopes.set_scope(user.email, "admin", is_granted=True)
    assert _get(probe_app, "operator", user.headers).get_json() == {"user": user.public_id}
    with probe_app.app_context():
        scopes.set_scope(user.email, "admin", is_granted=False)
    assert _get(probe_app, "operator", user.headers).status_code == 403


def test_demo_operators_must_log_in(demo_app: Flask) -> None:
    assert _get(demo_app, "operator").status_code == 401
    client = demo_app.test_client()
    body = {"email": "operator@example.com", "password": "SecurePass123!"}
    token = client.post("/api/v1/auth/login", json=body).get_json()["access_token"]
    assert _get(demo_app, "operator", {"Authorization": f"Bearer {token}"}).status_code == 200


def test_merchants_are_limited_by_tenant_whichever_key_they_use(
    settings: dict[str, str],
    redis_server,
    app: Flask,
    merchant: MerchantClient,
    user: SignedInUser,
    monkeypatch,
) -> None:
    monkeypatch.setattr("app.redis_limits.REDIS_TIMEOUT_S", 10.0)  # however busy the machine
    strict = probed(
        {
            **settings,
            "REDIS_URL": redis_server.url(8),
            "RATE_LIMIT_MERCHANT": "3/minute",
            "RATE_LIMIT_DEFAULT": "2/minute",
        }
    )
    with app.app_context():
        second = {"X-TENANT-API-KEY": key_changes.add_api_key(merchant.tenant_id, "second")[1]}
    codes = [
        _get(strict, "either", headers).status_code
        for headers in (merchant.headers, second, merchant.headers, second)
    ]
    assert codes == [200, 200, 200, 429]
    assert _get(strict, "either", make_merchant(app).headers).status_code == 200
    assert [_get(strict, "either", user.headers).status_code for _ in range(3)] == [200, 200, 429]


def test_the_limit_of_a_route_counts_for_merchants_too(
    settings: dict[str, str], redis_server, merchant: MerchantClient, monkeypatch
) -> None:
    """Breaks when every request of a merchant counts for one limit, whatever the table says."""
    monkeypatch.setattr("app.redis_limits.REDIS_TIMEOUT_S", 10.0)  # however busy the machine
    limits = {"RATE_LIMIT_MERCHANT": "9/minute", "RATE_LIMIT_PAYMENTS": "2/minute"}
    strict = probed({**settings, "REDIS_URL": redis_server.url(8), **limits})
    codes = [_get(strict, "seldom", merchant.headers).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert _get(strict, "merchant", merchant.headers).status_code == 200
