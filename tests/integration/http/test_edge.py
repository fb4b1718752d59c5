"""What every answer carries, and what the log says of it."""

from __future__ import annotations

import json
import logging

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.logs import HIDDEN, hide_secrets
from tests.support.factories import PASSWORD, make_user

ANSWERS = [
    ("GET", "/health"),
    ("GET", "/docs"),
    ("GET", "/nope"),
    ("POST", "/api/v1/auth/login"),
    ("DELETE", "/v1/x"),
]


@pytest.mark.parametrize(("method", "path"), ANSWERS)
def test_every_answer_has_an_id_and_security_headers(client: FlaskClient, method: str, path: str) -> None:
    headers = client.open(path, method=method).headers
    assert headers["X-Request-Id"].startswith("req_")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.split("style-src")[0], "no inline script anywhere"


def test_hsts_is_production_s_behind_tls(settings: dict[str, str]) -> None:
    """A demo on localhost must not make the browser refuse http://localhost for a year."""
    production = {"GATEWAY_ENV": "production", "REALTIME": "external"}
    for more, has_hsts in ((production, True), ({}, False)):
        client = create_app({**settings, **more, "TRUSTED_PROXIES": "1"}).test_client()
        by_tls = client.get("/health", headers={"X-Forwarded-Proto": "https"}).headers
        assert by_tls.get("Strict-Transport-Security") == ("max-age=31536000" if has_hsts else None)
        assert "Strict-Transport-Security" not in client.get("/health").headers


def test_ids_differ(client: FlaskClient) -> None:
    assert len({client.get("/health").headers["X-Request-Id"] for _ in range(10)}) == 10


@pytest.mark.parametrize("given", ["abc", "a-b_c.1", "x" * 128, "{}", "<script>"])
def test_a_sane_id_comes_back(client: FlaskClient, given: str) -> None:
    assert client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "é", "a\tb", "\x7f"])
def test_any_other_is_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/health", environ_overrides={"HTTP_X_REQUEST_ID": given})
    assert answer.headers["X-Request-Id"].startswith("req_")


def test_answers_are_not_cached_but_the_page_s_files_are(client: FlaskClient, payer) -> None:
    assert client.get("/api/v1/accounts", headers=payer.headers).headers["Cache-Control"] == "no-store"
    first = client.get("/docs/swagger-ui.css")
    assert "max-age" in first.headers["Cache-Control"]
    assert (
        client.get("/docs/swagger-ui.css", headers={"If-None-Match": first.headers["ETag"]}).status_code
        == 304
    )


def test_foreign_origins_are_not_allowed(settings: dict[str, str]) -> None:
    client = create_app({**settings, "CORS_ORIGINS": "https://shop.example.com"}).test_client()
    ours = client.get("/health", headers={"Origin": "https://shop.example.com"})
    assert ours.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    assert "X-Request-Id" in ours.headers["Access-Control-Expose-Headers"]
    for origin in (
        "https://evil.example.com",
        "https://shop.example.com.evil.com",
        "http://shop.example.com",
        "null",
    ):
        assert "Access-Control-Allow-Origin" not in client.get("/health", headers={"Origin": origin}).headers


def test_a_preflight_needs_no_token(settings: dict[str, str]) -> None:
    client = create_app({**settings, "CORS_ORIGINS": "https://shop.example.com"}).test_client()
    answer = client.options(
        "/api/v1/payments",
        headers={
            "Origin": "https://shop.example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, x-else",
        },
    )
    assert answer.status_code == 200
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert "authorization" in allowed and "idempotency-key" in allowed and "x-else" not in allowed
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_no_origin_is_allowed_unless_configured(client: FlaskClient) -> None:
    answer = client.get("/health", headers={"Origin": "https://shop.example.com"})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.fixture
def loud_app(settings: dict[str, str]):
    yield create_app({**settings, "LOG_LEVEL": "DEBUG"})
    create_app(settings)  # the log level is the process's


def test_one_line_in_the_log_and_no_secret_in_it(loud_app: Flask, capsys) -> None:
    signed_in = make_user(loud_app)
    client = loud_app.test_client()
    capsys.readouterr()
    client.post("/api/v1/auth/login", json={"email": signed_in.email, "password": PASSWORD})
    client.get("/api/v1/accounts/acc_x", headers=signed_in.headers | {"X-Request-Id": "line-1"})
    client.get("/version?token=query-secret")
    text = capsys.readouterr().err
    lines = [json.loads(line) for line in text.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["route"], line["status"]) for line in requests] == [
        ("/api/v1/auth/login", 200),
        ("/api/v1/accounts/<wallet_id>", 404),
        ("/version", 400),
    ]
    assert requests[1]["request_id"] == "line-1" and requests[1]["user"] == signed_in.public_id
    assert requests[0]["user"] is None and requests[0]["ms"] >= 0
    for secret in (
        PASSWORD,
        signed_in.access_token,
        signed_in.refresh_token,
        "query-secret",
        signed_in.email,
    ):
        assert secret not in text


def test_secrets_are_hidden_by_their_name_at_any_depth() -> None:
    event = {
        "event": "x",
        "Authorization": "Bearer a",
        "user": {"password": "b", "deep": {"API_KEY": "c"}},
        "n": 1,
    }
    hidden = hide_secrets(None, "info", event)
    assert hidden == {
        "event": "x",
        "Authorization": HIDDEN,
        "user": {"password": HIDDEN, "deep": {"API_KEY": HIDDEN}},
        "n": 1,
    }


def test_the_log_itself_hides_them(loud_app: Flask, capsys) -> None:
    structlog.get_logger("test").warning("signing in", password=PASSWORD, user={"api_key": "key-17"})
    logging.getLogger("library").warning("%s", "from a library")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (
        first["password"] == HIDDEN
        and first["user"] == {"api_key": HIDDEN}
        and first["event"] == "signing in"
    )
    assert second["event"] == "from a library" and second["logger"] == "library"
