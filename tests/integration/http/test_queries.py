"""Query parameters: what no route declares is refused, in the shape of the surface; callbacks and pages take any."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.http.openapi import documented_routes
from app.http.surfaces import Surface
from app.models.member import Role
from tests.architecture.test_guards import EXAMPLES
from tests.integration.gateway.conftest import make_merchant
from tests.support.factories import make_user
from tests.support.tenants import make_member
from tests.support.tenants import make_merchant as make_tenant


def test_every_documented_route_refuses_unknown_parameters(app: Flask, client: FlaskClient) -> None:
    user, merchant = make_user(app), make_merchant(app, client)
    owner = make_member(app, make_tenant(app), Role.OWNER)
    with app.app_context():
        routes = [route for route in documented_routes(app) if route.has_checked_query]
    rules = {rule.endpoint: rule.rule for rule in app.url_map.iter_rules()}
    seen = set()
    for route in routes:
        path = "/".join(
            EXAMPLES.get(part.partition(":")[0], "x") if part.startswith("<") else part
            for part in rules[route.endpoint].split("/")
        )
        answers = [
            client.open(f"{path}?surprise=1", method=route.method, headers=headers | {"Idempotency-Key": "k"})
            for headers in (user.headers, merchant.headers, owner.headers, {"X-API-Key": merchant.key})
        ]
        # A credential of the wrong kind is refused before the query is read.
        if route.policy.scope is None:
            assert 400 in {answer.status_code for answer in answers}, f"{route.method} {path}"
        for answer in answers:
            assert answer.status_code in (400, 401, 403, 429), f"{route.method} {path}"
            if answer.status_code == 400:
                assert "surprise" in answer.get_data(as_text=True), answer.data
                seen.add(route.surface)
    assert seen == {
        Surface.WALLET,
        Surface.GATEWAY,
        Surface.TENANT,
        Surface.PROCESSING,
        Surface.BOOKINGS,
        Surface.SYSTEM,
    }


def test_the_refusal_names_the_parameter_in_the_surfaces_own_shape(app: Flask, client: FlaskClient) -> None:
    merchant, user = make_merchant(app, client), make_user(app)
    message = "This query parameter is not known here."
    assert merchant.get("?order_id=X").json == {
        "success": False,
        "error": "Validation error",
        "details": {"order_id": [message]},
    }
    error = client.get("/api/v1/accounts?order_id=X", headers=user.headers).json["error"]
    assert (error["code"], error["field"]) == ("INVALID_REQUEST", "order_id")
    assert error["message"] == f"order_id: {message}"
    assert client.get("/health/live?" + "n" * 4000).json["error"]["field"] == "n" * 64


def test_nothing_is_done_for_a_request_with_an_unknown_parameter(app: Flask, client: FlaskClient) -> None:
    merchant = make_merchant(app, client)
    waiting = merchant.waiting()
    assert merchant.post(f"/{waiting['id']}/cancel?force=true").status_code == 400
    assert merchant.get(f"/{waiting['id']}").json["data"]["status"] == "processing"


@pytest.mark.parametrize("query", ["page=1&page=2", "status=completed&status=failed", "status=&status="])
def test_a_parameter_given_twice_is_refused(app: Flask, client: FlaskClient, query: str) -> None:
    answer = make_merchant(app, client).get(f"?{query}")
    assert answer.status_code == 400
    assert answer.json["details"] == {query.partition("=")[0]: ["This query parameter may be given once."]}


def test_callbacks_and_pages_take_what_others_append(client: FlaskClient) -> None:
    assert client.get(f"/payments/{uuid.uuid4()}/return?trxref=a&reference=a").status_code == 404
    assert client.get(f"{client.application.extensions['assets'].url('page.css')}?v=2").status_code == 200
    assert client.get("/docs?utm_source=mail").status_code == 200
    refused = client.post("/api/v1/webhooks/cpay?shop=7", json={})
    assert refused.status_code == 401  # of the signature, not of the query
    preflight = client.options("/api/v1/payments?surprise=1")
    assert preflight.status_code == 200


def test_a_missing_credential_is_reported_before_the_query(client: FlaskClient) -> None:
    assert client.get("/api/v1/accounts?surprise=1").status_code == 401
    assert client.get("/api/v1/nowhere?surprise=1").status_code == 404
