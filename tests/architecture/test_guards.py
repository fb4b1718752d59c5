"""Every route is in the table with a guard, and belongs to the surface its row says."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.http.guards import PUBLIC, USER_SESSION, USER_TOKEN
from app.http.surfaces import Surface, surface_of
from app.http.table import Policy, policies
from app.routes import TABLE

PUBLIC_ROUTES = {
    "/",
    "/docs",
    "/docs/<name>",
    "/assets/<name>",
    "/metrics",
    "/openapi.json",
    "/health",
    "/health/live",
    "/health/ready",
    "/version",
    "/api/v1/health",
    "/api/v1/health/live",
    "/api/v1/health/ready",
    "/v1/health",
    "/v1/api-info",
    "/v1/oauth/authorize",
    "/v1/oauth/token",
    "/v1/oauth/revoke",
    "/v1/oauth/introspect",
    "/.well-known/oauth-authorization-server",
    "/api/v1/version",
    "/api/v1/auth/register",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
    "/v1/auth/register",
    "/v1/auth/login",
    "/v1/auth/refresh",
    "/api/v1/webhooks/<provider:provider>",
    "/api/v1/webhooks/<provider:provider>/<token:token>",
    "/payments/<uuid:payment_id>/return",
    "/api/listings/",
    "/api/listings/<uuid:listing_id>/",
    "/api/bookings/",
    "/api/bookings/<uuid:booking_id>/",
    "/api/payments/initiate/",
    "/api/payments/verify/",
    "/dev/mailbox",
    "/dev/mailbox/<uuid:notification_id>",
    "/oauth/consent",
    "/oauth/consent/sign-in",
    "/oauth/consent/decision",
    "/bookings/<uuid:booking_id>",
    "/bookings/<uuid:booking_id>/pay",
    "/bookings/<uuid:booking_id>/check",
    "/bookings/<uuid:booking_id>/state",
}
"""A public route must be added here too, on purpose."""

EXAMPLES = {"<pmt": "pmt_x", "<uuid": "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11"}
"""What a path may hold where its rule names a kind of id; otherwise `x`."""


def test_every_route_has_a_guard_in_the_table(app: Flask) -> None:
    known = policies(app)
    without = [rule.rule for rule in app.url_map.iter_rules() if rule.endpoint not in known]
    assert without == []


def test_public_routes_are_exactly_these(app: Flask) -> None:
    known = policies(app)
    public = {rule.rule for rule in app.url_map.iter_rules() if known[rule.endpoint].guard is PUBLIC}
    assert public == PUBLIC_ROUTES


def test_guards_that_look_up_no_session_are_only_on_paying_routes(app: Flask) -> None:
    known = policies(app)
    routes = {
        (rule.rule, *(rule.methods or ()))
        for rule in app.url_map.iter_rules()
        if known[rule.endpoint].guard is USER_TOKEN
    }
    paths = {rule for rule, *methods in routes if "POST" in methods and "GET" not in methods}
    assert paths == {"/api/v1/payments", "/api/v1/payments/batch"} and len(routes) == len(paths)


def test_guarded_route_without_credential_answers_401(app: Flask, client: FlaskClient) -> None:
    known = policies(app)
    for rule in app.url_map.iter_rules():
        if known[rule.endpoint].guard is PUBLIC:
            continue
        path = "/".join(
            EXAMPLES.get(part.partition(":")[0], "x") if part.startswith("<") else part
            for part in rule.rule.split("/")
        )
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = client.open(path, method=method)
            assert answer.status_code == 401, f"{method} {path} answered {answer.status_code}"


def test_route_missing_from_the_table_is_found_and_refused(settings: dict[str, str]) -> None:
    app = create_app(settings)
    app.add_url_rule("/loose", "loose", lambda: "open")
    assert "loose" not in policies(app)
    answer = app.test_client().get("/loose")
    assert answer.status_code == 500 and b"open" not in answer.data


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.blueprint.name)
def test_a_row_names_the_surface_its_routes_belong_to(app: Flask, row) -> None:
    names = {row.blueprint.name} | {f"{row.blueprint.name}{n}" for n in range(2, len(row.prefixes) + 1)}
    for rule in app.url_map.iter_rules():
        blueprint, _, _ = rule.endpoint.rpartition(".")
        if blueprint not in names or row.surface is Surface.SYSTEM:
            continue
        path = rule.rule.replace("<pmt:payment_id>", "pmt_x")
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            assert surface_of(path, method) is row.surface, f"{method} {path}"


def test_a_policy_limits_unless_it_says_otherwise() -> None:
    assert Policy(USER_SESSION).limit is not None
