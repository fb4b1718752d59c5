"""Statuses that many operations share, provoked at each of them; what came is held against the document as everywhere.

The bodies are the document's own examples.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.http.guards import (
    KNOWN_MERCHANT,
    KNOWN_PROCESSING,
    MERCHANT,
    MERCHANT_OR_USER,
    PROCESSING,
    PUBLIC,
    SITE,
    TENANT,
    Guard,
)
from app.http.openapi import document, documented_routes
from app.http.surfaces import Surface
from app.models.member import Role
from tests.support.tenants import make_member, make_merchant

PATH_IDS = {
    "{session_id}": "ses_0195f3a0b1c27d8e9f00112233445566",
    "{user_id}": "usr_0195f3a0b1c27d8e9f00112233445566",
    "{wallet_id}": "acc_sender_123",
    "{payment_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{event_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{customer_id}": "123e4567-e89b-12d3-a456-426614174000",
    "{method_id}": "mpesa_254712345678",
    "{order_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{transaction_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{destination_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{invitation_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{logged_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{key_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{grant_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{listing_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{booking_id}": "0195f3a0-b1c2-7d8e-9f00-112233445566",
    "{endpoint_id}": "we_0195f3a0b1c27d8e9f001122",
    "{delivery_id}": "whd_0195f3a0b1c27d8e9f001122",
}
NOT_LOOKED_UP = {
    "auth_refresh": 401,
    "oauth_authorize": 400,
    "booking_payments_verify": 400,
    "booking_payments_verify_by_get": 400,
}
"""A refresh token that is none, an authorization without a client, a verification without a reference: refused before anything is
looked up."""

OF_MERCHANTS = (MERCHANT, KNOWN_MERCHANT, MERCHANT_OR_USER, SITE)


@dataclass(frozen=True)
class Call:
    """An operation, its address, and an example of its body."""

    name: str
    method: str
    path: str
    guard: Guard
    is_for_operators: bool
    statuses: frozenset[str]
    body: Any

    def send(self, client: FlaskClient, headers: dict[str, str], **content: Any) -> TestResponse:
        own = {"Idempotency-Key": str(uuid.uuid4())}
        return client.open(self.path, method=self.method, headers=own | headers, **content)

    def send_example(self, client: FlaskClient, headers: dict[str, str]) -> TestResponse:
        return self.send(client, headers, **({} if self.body is None else {"json": self.body}))


@dataclass(frozen=True)
class Credentials:
    """Headers of a user, of a merchant, and of that merchant's Owner."""

    user: dict[str, str]
    merchant: dict[str, str]
    owner: dict[str, str]

    def of(self, guard: Guard) -> dict[str, str]:
        if guard is TENANT:
            return self.owner
        if guard in (KNOWN_PROCESSING, PROCESSING):
            return {"X-API-Key": self.merchant["X-TENANT-API-KEY"]}
        return self.merchant if guard in OF_MERCHANTS else self.user


@pytest.fixture
def credentials(app: Flask) -> Credentials:
    registration = {
        "email": f"{uuid.uuid4()}@example.com",
        "password": "SecurePass123!",
        "first_name": "Sta",
        "last_name": "Tus",
    }
    answer = app.test_client().post("/api/v1/auth/register", json=registration)
    token = answer.get_json()["access_token"]
    merchant = make_merchant(app)
    owner = make_member(app, merchant, Role.OWNER)
    return Credentials({"Authorization": f"Bearer {token}"}, merchant.headers, owner.headers)


def calls(app: Flask) -> Iterator[Call]:
    """All operations but the callbacks, which providers call, and those that ask for nothing."""
    with app.app_context():
        spec = document(app)
    for route in documented_routes(app):
        operation = spec["paths"][route.path][route.method.lower()]
        asks_for_nothing = route.policy.guard is PUBLIC and route.policy.limit is None
        if not route.is_first or asks_for_nothing:
            continue
        path = route.path
        if route.surface is Surface.WALLET:
            path = path.replace("{payment_id}", "pmt_none")
        if route.surface is Surface.PROCESSING:
            path = path.replace("{payment_id}", "pay_0195f3a0b1c27d8e9f001122")
        for name, value in PATH_IDS.items():
            path = path.replace(name, value)
        media = operation.get("requestBody", {}).get("content", {}).get("application/json")
        examples = list(media.get("examples", {}).values()) if media else []
        yield Call(
            operation["operationId"],
            route.method,
            path,
            route.policy.guard,
            route.policy.scope is not None,
            frozenset(operation["responses"]),
            examples[0]["value"] if examples else {} if media else None,
        )


def test_a_body_of_another_type_is_415_and_a_large_one_413(
    app: Flask, client: FlaskClient, credentials: Credentials
) -> None:
    for call in calls(app):
        if call.body is None:
            continue
        # Operators' calls need an operator, who would come in here.
        expected = (403, 403) if call.is_for_operators else (415, 413)
        found = [
            call.send(client, credentials.of(call.guard), data=data, content_type=kind).status_code
            for data, kind in ((b"{}", "text/plain"), (b" " * 3_000_000, "application/json"))
        ]
        assert tuple(found) == expected, call.name


def test_the_wrong_kind_of_credential_is_403(
    app: Flask, client: FlaskClient, credentials: Credentials
) -> None:
    both = credentials.merchant | credentials.user
    for call in calls(app):
        if call.guard in OF_MERCHANTS or call.is_for_operators:
            headers = both if call.guard is MERCHANT_OR_USER else credentials.user
            assert call.send_example(client, headers).status_code == 403, call.name


def test_without_the_database_every_operation_is_503(
    settings: dict[str, str], credentials: Credentials
) -> None:
    away = create_app({**settings, "DATABASE_URL": "postgresql://malipo_app:x@127.0.0.1:1/none"})
    client = away.test_client()
    for call in calls(away):
        answer = call.send_example(client, credentials.of(call.guard))

        expected = NOT_LOOKED_UP.get(call.name, 503)
        assert answer.status_code == expected, (call.name, answer.get_data(as_text=True))


def test_every_limited_operation_is_429_in_the_end(
    settings: dict[str, str], credentials: Credentials
) -> None:
    kinds = ("AUTH", "PAYMENTS", "DEFAULT", "MERCHANT", "PROCESSING", "BOOKINGS")
    limited = create_app(settings | {f"RATE_LIMIT_{kind}": "1/hour" for kind in kinds})
    client = limited.test_client()
    for call in calls(limited):
        headers = credentials.of(call.guard)
        last = [call.send_example(client, headers).status_code for _ in range(2)][-1]
        assert last == 429 and "429" in call.statuses, call.name


def test_what_nobody_expected_is_500(app: Flask, settings: dict[str, str], credentials: Credentials) -> None:
    broken = create_app(settings)
    known = list(calls(broken))
    for route in documented_routes(app):
        broken.view_functions[route.endpoint] = _fail
    for call in known:
        answer = call.send_example(broken.test_client(), credentials.of(call.guard))
        is_refused = call.is_for_operators and call.guard not in OF_MERCHANTS
        assert answer.status_code == (403 if is_refused else 500), call.name


def _fail(**_: Any) -> None:
    raise RuntimeError("on purpose")
