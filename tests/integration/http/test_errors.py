"""Every refusal has the format of the contract its path and method belong to, whichever layer refused."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.http.surfaces import Surface, surface_of
from tests.support.factories import make_user


def _check(body: Any, surface: Surface, status: int) -> None:
    assert isinstance(body, dict)
    if surface in (Surface.WALLET, Surface.SYSTEM):
        assert body["status"] == "error" and set(body["error"]) >= {"code", "message"}
    elif surface is Surface.GATEWAY:
        assert body["success"] is False and isinstance(body["error"], str)
    elif surface is Surface.TENANT:
        expected = {401: dict, 403: str, 404: str}.get(status, str)
        found = body["detail"] if status in (403, 404) else body["error"]
        assert isinstance(found, expected)
    elif surface is Surface.PROCESSING:
        assert set(body["error"]) >= {"type", "message", "status"} and body["error"]["status"] == status
    else:
        assert body["status"] == "error" and isinstance(body["message"], str)


UNKNOWN = [
    "/nope",
    "/api/v1/accounts/x/y/z",
    "/api/v1/auth/nope",
    "/api/v1/kyc/nope",
    "/api/v1/nope",
    "/api/v1/payments/7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11",
    "/api/v1/payments/initialize",
    "/api/v1/customers/1",
    "/v1/orders/1",
    "/v1/nope",
    "/v1/payments/pay_1",
    "/api/listings/1/",
    "/api/nope",
    "/v1/auth/nope",
    "/docs/nope",
    "/api/v1/accounts/",
    "//api/v1/accounts",
    "/api/v1/accounts/%00",
    "/api/v1/%2e%2e/x",
    "/%ff",
]


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PROPFIND"])
def test_404(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code in (401, 404, 405), answer.data
    if answer.status_code != 401:
        _check(answer.get_json(), surface_of(answer.request.path, method), answer.status_code)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/v1/auth/login", "POST"),
        ("PUT", "/v1/auth/login", "POST"),
        ("DELETE", "/api/v1/accounts", "GET"),
        ("DELETE", "/api/v1/payments", "POST"),
        ("PATCH", "/api/v1/payments/pmt_x", "GET"),
        ("GET", "/api/v1/payments/batch", "POST"),
        ("POST", "/health", "GET"),
        ("POST", "/docs", "GET"),
    ],
)
def test_405(client: FlaskClient, method: str, path: str, allowed: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 405 and allowed in answer.headers["Allow"]
    _check(answer.get_json(), surface_of(path, method), 405)


@pytest.mark.parametrize(
    "path",
    ["/api/v1/accounts/loose", "/api/v1/loose", "/api/v1/orders/loose", "/v1/loose", "/api/loose", "/loose"],
)
def test_500_tells_its_request_id_and_nothing_else(settings: dict[str, str], path: str, capsys) -> None:
    """Routes past the table: their guard is missing, which is a bug, like any other KeyError."""
    app = create_app(settings)
    app.add_url_rule(path, "secret_internals", lambda: "x", methods=["GET"])
    answer = app.test_client().get(path, headers={"X-Request-Id": "find-me-17"})
    assert answer.status_code == 500
    _check(answer.get_json(), surface_of(path, "GET"), 500)
    text = answer.get_data(as_text=True)
    assert "secret_internals" not in text and "KeyError" not in text and "Traceback" not in text
    assert "find-me-17" in text
    logged = capsys.readouterr().err
    assert "find-me-17" in logged and "KeyError" in logged


def test_500s_of_several_surfaces_carry_the_id_in_their_own_place(settings: dict[str, str]) -> None:
    app = create_app(settings)
    app.add_url_rule("/v1/loose", "loose", lambda: "x")
    body = app.test_client().get("/v1/loose", headers={"X-Request-Id": "abc"}).get_json()
    assert body["error"]["request_id"] == "abc" and body["error"]["type"] == "internal_server_error"


def test_unavailable_database_answers_503_with_retry_after(settings: dict[str, str], app: Flask) -> None:
    user = make_user(app)
    away = create_app(
        {**settings, "DATABASE_URL": "postgresql://malipo_app:x@127.0.0.1:1/none", "DB_POOL_TIMEOUT_S": "1"}
    )
    answer = away.test_client().get("/api/v1/accounts", headers=user.headers)
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
    assert answer.get_json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert "127.0.0.1:1" not in answer.get_data(as_text=True)


def test_all_invalid_fields_are_named(client: FlaskClient, payer) -> None:
    answer = client.post(
        "/api/v1/payments", json={"amount": 1, "destination": 5, "colour": "red"}, headers=payer.headers
    )
    error = answer.get_json()["error"]
    assert set(error["details"]["fields"]) == {"source_wallet_id", "destination", "colour"}
    assert error["field"] in error["details"]["fields"]


def test_the_gateway_s_validation_error_is_document_001_s(client: FlaskClient, payer) -> None:
    answer = client.get("/api/v1/payments?page=x", headers=payer.headers)
    assert answer.status_code == 400
    body = answer.get_json()
    assert body["success"] is False and body["error"] == "Validation error" and "page" in body["details"]
