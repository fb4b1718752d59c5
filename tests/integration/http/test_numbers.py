"""No number in a body, a query, a form or a header is a 500, or keeps a process busy, on any route."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice, product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.http.guards import MERCHANT, MERCHANT_OR_USER, PUBLIC
from app.http.table import policies
from app.services.identity import scopes
from tests.integration.gateway.conftest import make_merchant, request_body
from tests.integration.http.conftest import Payer
from tests.support.factories import make_user
from tests.support.hostile_numbers import LIMIT_S, NUMBERS, seconds

BODIES = (
    "#",
    "[#]",
    '{"#":#}',
    '{"amount":#}',
    '{"amount":1,"metadata":{"n":#}}',
    '{"metadata":{"a":[{"b":#}]}}',
    '{"email":#,"password":#,"refresh_token":#}',
    '{"currency":#,"type":#,"name":#}',
    '{"provider":#,"reason":#}',
    '{"source_wallet_id":#,"payments":[{"amount":#}]}',
    '{"payments":#}',
    '{"id_number":#,"document_type":#}',
)
"""Sent to every route. `#`: the number."""

DIGITS = (
    "9" * 18,
    "9" * 19,
    "9" * 5000,
    "-" + "9" * 5000,
    "1e1999999",
    "1e9999999999999999999",
    "１" * 30,
    "²",
    "0." + "3" * 5000,
    "NaN",
    "Infinity",
    "1_0",
    "0x10",
)
QUERY_NAMES = (
    "page",
    "per_page",
    "limit",
    "offset",
    "cursor",
    "before",
    "days",
    "hours",
    "status",
    "provider",
)
HEADERS = (
    "Content-Length",
    "Range",
    "If-Range",
    "Idempotency-Key",
    "X-Request-Id",
    "X-Forwarded-For",
    "X-Forwarded-Port",
    "Accept",
    "Authorization",
    "X-TENANT-API-KEY",
    "If-Modified-Since",
    "Content-Type",
)
HEADER_FORMS = (
    "#",
    "bytes=0-#",
    "Bearer #",
    "text/html;q=#",
    "multipart/form-data; boundary*#=x; charset*#*=#",
)


_numbers = cycle(NUMBERS.values())
"""Every body is read by one reader, so the numbers take turns over the routes' bodies."""


@dataclass(frozen=True)
class Route:
    """One method of one route, with credentials that it accepts."""

    method: str
    path: str
    headers: dict[str, str]


@pytest.fixture
def routes(app: Flask, client: FlaskClient, payer: Payer) -> list[Route]:
    """Every route; logging out comes last."""
    merchant, operator = make_merchant(app, client), make_user(app)
    with app.app_context():
        scopes.set_scope(operator.email, "admin", is_granted=True)
    headers = {
        PUBLIC: {},
        MERCHANT: merchant.headers,
        MERCHANT_OR_USER: merchant.headers,
    }
    waiting = merchant.waiting()["id"]
    named = {"wallet_id": payer.wallet, "payment_id": waiting, "event_id": waiting, "provider": "mpesa"}
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[a-z]+:)?(\w+)>", lambda part: named.get(part[1], "x"), rule.rule)
        policy = policies(app)[rule.endpoint]
        credentials = operator.headers if policy.scope else headers.get(policy.guard, payer.headers)
        found += [
            Route(method, path, credentials) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        ]
    return sorted(found, key=lambda route: (route.path.endswith("/logout"), route.path, route.method))


def _bodies_of(payer: Payer, path: str) -> list[str]:
    """One number in each of the bodies for all, and every number in a body that is valid but for its amount."""
    with_number = {
        "/payments/initialize": json.dumps(request_body(amount="#")),
        "/payments": json.dumps(payer.payment_body(amount="#")),
        "/payments/batch": json.dumps(
            {
                "source_wallet_id": payer.wallet,
                "payments": [{"amount": "#", "destination": payer.recipient_wallet}],
            }
        ),
        "/deposit": json.dumps({"amount": "#", "source": "card"}),
        "/withdraw": json.dumps({"amount": "#", "destination": "bank"}),
    }
    amounts = [body.replace('"#"', "#") for end, body in with_number.items() if path.endswith(end)]
    return [body.replace("#", next(_numbers)) for body in BODIES] + [
        body.replace("#", number) for body in amounts for number in NUMBERS.values()
    ]


def _must_be_quick_and_ours(answer_to: Any, about: object) -> None:
    took, answer = seconds(answer_to)
    assert answer.status_code < 500 and answer.status_code != 429, (
        about,
        answer.status_code,
        answer.data[:300],
    )
    assert took < LIMIT_S, (about, f"{took:.3f} s")


def test_in_bodies(client: FlaskClient, payer: Payer, routes: list[Route]) -> None:
    posts = [route for route in routes if route.method != "GET"]
    assert len(posts) > 15
    for route in posts:
        for body in _bodies_of(payer, route.path):
            headers = route.headers | {"Idempotency-Key": secrets.token_hex(8)}
            call = partial(
                client.open, route.path, method=route.method, headers=headers, content_type="application/json"
            )
            _must_be_quick_and_ours(partial(call, data=body), (route.method, route.path, body[:80]))


def test_in_forms(client: FlaskClient, routes: list[Route]) -> None:
    kinds = cycle(("multipart/form-data", "application/x-www-form-urlencoded"))
    numbers = cycle(DIGITS)
    for route in routes:
        if route.method == "GET":
            continue
        for digits, kind in zip(islice(numbers, 5), kinds, strict=False):
            form = dict.fromkeys(("document_type", "type", "amount", "id_number", digits), digits)
            call = partial(client.open, route.path, method=route.method, headers=route.headers)
            _must_be_quick_and_ours(
                partial(call, data=form, content_type=kind), (route.path, kind, digits[:40])
            )


def test_in_queries(client: FlaskClient, routes: list[Route]) -> None:
    """Of webhooks too: there the query may be the callback. Every number in all names at once, and two in each alone."""
    numbers = cycle(DIGITS)
    for route in routes:
        if route.method != "GET" or not route.path.startswith("/api/v1/") or "/health" in route.path:
            continue
        queries = [dict.fromkeys(QUERY_NAMES, digits) for digits in DIGITS[:8]]
        queries += [{name: digits} for name in QUERY_NAMES for digits in islice(numbers, 2)]
        for query in queries:
            call = partial(client.get, route.path, query_string=query, headers=route.headers)
            _must_be_quick_and_ours(call, (route.path, str(query)[:80]))


def test_in_headers(client: FlaskClient, payer: Payer) -> None:
    """On a route of each kind: a body, a form, a callback, a static file, a list."""
    posts = ("/api/v1/payments", "/api/v1/kyc/documents", "/api/v1/auth/login", "/api/v1/webhooks/mpesa")
    style = client.application.extensions["assets"].url("page.css")
    gets = (style, "/docs", "/api/v1/accounts", "/api/v1/webhooks/pesapal")
    routes = [*(("POST", path) for path in posts), *(("GET", path) for path in gets)]
    values = zip(cycle(DIGITS), cycle(HEADER_FORMS), strict=False)
    for name, (method, path) in product(HEADERS, routes):
        for digits, form in islice(values, len(HEADER_FORMS)):
            value = form.replace("#", digits).encode().decode("latin-1")
            headers = payer.headers | {name: value}
            call = partial(client.open, path, method=method, headers=headers)
            _must_be_quick_and_ours(call, (path, name, value[:60]))
