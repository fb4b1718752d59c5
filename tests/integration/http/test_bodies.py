"""Invalid bodies: 4xx in the Wallet API's format, nothing is paid, and the key stays unused."""

from __future__ import annotations

import io
import json
import secrets
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.integration.http.conftest import Payer, make_payer
from tests.support.factories import balance_of

AMOUNTS = {
    "zero": "0",
    "minus zero": "-0",
    "zero with decimals": "0.00",
    "negative": "-1",
    "three decimals": "1.001",
    "tiny": "1e-9",
    "tinier": "1e-400",
    "huge": "1e16",
    "huge int": "1" * 40,
    "too long": "1" * 41,
    "1e309": "1e309",
    "1e999999999": "1e999999999",
    "true": "true",
    "false": "false",
    "null": "null",
    "list": "[1]",
    "object": '{"value":1}',
    "empty string": '""',
    "words": '"ten"',
    "spaces": '" 1"',
    "underscore": '"1_0"',
    "comma": '"1,00"',
    "plus": '"+1"',
    "exponent string": '"1e2"',
    "NaN string": '"NaN"',
    "Infinity string": '"Infinity"',
    "hexadecimal": '"0x10"',
    "full-width digits": '"１０"',
    "Arabic digits": '"١٠"',
    "negative string": '"-5"',
    "two points": '"1.0.0"',
    "point": '"."',
    "long string": '"' + "9" * 5000 + '"',
    "NaN": "NaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "above the single maximum": "10000.01",
}

BODIES = {
    "nothing": b"",
    "list": b"[]",
    "string": b'"pay"',
    "null": b"null",
    "empty object": b"{}",
    "cut off": b'{"amount":',
    "rubbish after it": b"{} x",
    "NUL": b'{"amount":1,"description":"\\u0000"}',
    "not UTF-8": b'{"description":"\xff"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "half a surrogate": b'{"description":"\\ud800"}',
    "deep": b'{"metadata":' * 5000 + b"1" + b"}" * 5000,
    "deep and unclosed": b"[" * 500_000,
}

FIELDS: dict[str, dict[str, Any]] = {
    "unknown field": {"status": "completed"},
    "fee": {"fee": 0},
    "sender": {"sender_id": "usr_x"},
    "currency unknown": {"currency": "XXQ"},
    "currency number": {"currency": 840},
    "currency list": {"currency": ["USD"]},
    "currency object": {"currency": {}},
    "currency null": {"currency": None},
    "currency empty": {"currency": ""},
    "currency false": {"currency": False},
    "currency zero": {"currency": 0},
    "source number": {"source_wallet_id": 5},
    "source list": {"source_wallet_id": []},
    "source empty": {"source_wallet_id": ""},
    "source null": {"source_wallet_id": None},
    "destination number": {"destination": 1},
    "destination empty": {"destination": ""},
    "destination object": {"destination": {"email": "x"}},
    "destination huge": {"destination": "x" * 100_000},
    "description number": {"description": 7},
    "description huge": {"description": "x" * 100_000},
    "description control": {"description": "a\x07b"},
    "description newline escape": {"description": "a\x1b[2Jb"},
    "metadata list": {"metadata": []},
    "metadata string": {"metadata": "{}"},
    "metadata huge": {"metadata": {"a": "x" * 100_000}},
    "metadata number": {"metadata": 1},
}


def _is_refused(answer: Any, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in (statuses or (400, 404)), answer.data
    body = answer.get_json()
    assert set(body) == {"status", "error"} and body["status"] == "error"
    assert body["error"]["code"].isupper() and body["error"]["message"].endswith(".")
    assert answer.headers["Content-Type"] == "application/json"
    return body["error"]


@pytest.fixture(scope="module")
def payer(app: Flask) -> Payer:
    """Whose requests are refused: one for all tests, because nothing is paid."""
    return make_payer(app)


@pytest.fixture
def own_payer(app: Flask) -> Payer:
    """Who pays, or ends the session."""
    return make_payer(app)


@pytest.fixture
def nothing_paid(app: Flask, payer, rows):
    yield
    assert balance_of(app, payer.user, payer.wallet) == "100.00"
    paid = rows("SELECT count(*) FROM wallet_payments WHERE sender_id = :sender", sender=payer.user.user_id)
    assert paid[0][0] == 0


@pytest.mark.parametrize("amount", AMOUNTS.values(), ids=AMOUNTS.keys())
def test_amounts(client: FlaskClient, payer, nothing_paid, amount: str) -> None:
    raw = json.dumps(payer.payment_body(amount="@")).replace('"@"', amount)
    answer = client.post("/api/v1/payments", data=raw, content_type="application/json", headers=payer.headers)
    error = _is_refused(answer, 400)
    assert error["code"] in ("INVALID_AMOUNT", "INVALID_REQUEST")


@pytest.mark.parametrize("path", ["deposit", "withdraw"])
@pytest.mark.parametrize("amount", AMOUNTS.values(), ids=AMOUNTS.keys())
def test_amounts_of_cash(client: FlaskClient, payer, nothing_paid, path: str, amount: str) -> None:
    if path == "deposit" and amount == "10000.01":
        amount = "1e15"  # a deposit has no single maximum, but a wallet has
    other = {"source": "card"} if path == "deposit" else {"destination": "bank"}
    raw = json.dumps({"amount": "@", **other}).replace('"@"', amount)
    url = f"/api/v1/accounts/{payer.wallet}/{path}"
    _is_refused(client.post(url, data=raw, content_type="application/json", headers=payer.headers), 400)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize(
    "path", ["/api/v1/payments", "/api/v1/payments/batch", "/api/v1/accounts/wallets", "/api/v1/kyc/submit"]
)
def test_bodies(client: FlaskClient, payer, nothing_paid, path: str, body: bytes) -> None:
    answer = client.post(path, data=body, content_type="application/json", headers=payer.headers)
    assert _is_refused(answer, 400)["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/v1/auth/register"])
def test_bodies_without_a_token_are_not_read(client: FlaskClient, path: str, body: bytes) -> None:
    answer = client.post(path, data=body, content_type="application/json")
    assert _is_refused(answer, 400)["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("differing", FIELDS.values(), ids=FIELDS.keys())
def test_fields(client: FlaskClient, payer, nothing_paid, differing: dict[str, Any]) -> None:
    answer = client.post("/api/v1/payments", json=payer.payment_body(**differing), headers=payer.headers)
    error = _is_refused(answer)
    assert error["field"] == next(iter(differing))


@pytest.mark.parametrize("missing", ["amount", "source_wallet_id", "destination"])
def test_missing_fields(client: FlaskClient, payer, nothing_paid, missing: str) -> None:
    payment_body = payer.payment_body()
    del payment_body[missing]
    error = _is_refused(client.post("/api/v1/payments", json=payment_body, headers=payer.headers), 400)
    assert error["code"] == "INVALID_REQUEST" and error["field"] == missing


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON; charset=UTF-8", 201),
        ("application/vnd.api+json", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json; charset=utf-16", 415),
        ("", 415),
        (None, 415),
        ("application/jsonp", 415),
        ("json", 415),
        ("application/json, text/html", 415),
    ],
)
def test_content_types(client: FlaskClient, own_payer, content_type: str | None, status: int) -> None:
    answer = client.post(
        "/api/v1/payments",
        data=json.dumps(own_payer.payment_body()),
        content_type=content_type,
        headers=own_payer.headers,
    )
    assert answer.status_code == status, answer.data
    if status != 201:
        _is_refused(answer, 415)


def test_a_body_above_the_cap(app: Flask, client: FlaskClient, payer, nothing_paid) -> None:
    cap = app.config["MAX_BODY_BYTES"]
    raw = json.dumps(payer.payment_body()).encode()
    for size in (cap + 1, 10 * cap):
        answer = client.post(
            "/api/v1/payments", data=raw.ljust(size), content_type="application/json", headers=payer.headers
        )
        _is_refused(answer, 413)
        assert answer.headers["Connection"] == "close"


def test_a_chunked_body_is_not_cut_at_the_cap(app: Flask, client: FlaskClient, payer, nothing_paid) -> None:
    """A valid body padded to exactly the cap, with invalid bytes after it: cut at the cap it would be valid."""
    raw = json.dumps(payer.payment_body()).encode().ljust(app.config["MAX_BODY_BYTES"]) + b"rubbish"
    _is_refused(_chunked(client, payer, raw), 413)


def test_a_chunked_body_within_the_cap(client: FlaskClient, own_payer) -> None:
    assert _chunked(client, own_payer, json.dumps(own_payer.payment_body()).encode()).status_code == 201


def _chunked(client: FlaskClient, payer, raw: bytes) -> Any:
    """As gunicorn passes it on: no length, and a stream with an end."""
    environ = {
        "wsgi.input": io.BytesIO(raw),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    return client.post(
        "/api/v1/payments", content_type="application/json", headers=payer.headers, environ_overrides=environ
    )


def test_a_body_that_ends_early(client: FlaskClient, payer, nothing_paid) -> None:
    raw = json.dumps(payer.payment_body()).encode()
    answer = client.post(
        "/api/v1/payments",
        content_type="application/json",
        headers=payer.headers,
        environ_overrides={"wsgi.input": io.BytesIO(raw), "CONTENT_LENGTH": str(len(raw) + 10)},
    )
    _is_refused(answer, 400)


def test_routes_without_a_body_take_absent_length_type_and_body(client: FlaskClient, own_payer) -> None:
    answer = client.post("/api/v1/auth/logout", headers=own_payer.headers)
    assert answer.status_code == 200, answer.data


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\tb", "\x7f"])
def test_keys_that_are_none(client: FlaskClient, payer, nothing_paid, key: str) -> None:
    headers = [*payer.headers.items(), ("Idempotency-Key", key)]
    error = _is_refused(client.post("/api/v1/payments", json=payer.payment_body(), headers=headers), 400)
    assert error["field"] == "Idempotency-Key"


def test_a_refused_body_leaves_its_key_free(client: FlaskClient, own_payer) -> None:
    headers = own_payer.headers | {"Idempotency-Key": f"free-{secrets.token_hex(8)}"}
    for bad in (
        own_payer.payment_body(amount=-1),
        own_payer.payment_body(colour="red"),
        own_payer.payment_body(amount=1.001),
    ):
        assert client.post("/api/v1/payments", json=bad, headers=headers).status_code == 400
    answer = client.post("/api/v1/payments", json=own_payer.payment_body(), headers=headers)
    assert answer.status_code == 201 and "Idempotent-Replayed" not in answer.headers
    again = client.post("/api/v1/payments", json=own_payer.payment_body(), headers=headers)
    assert again.get_json()["payment_id"] == answer.get_json()["payment_id"]
    assert again.headers["Idempotent-Replayed"] == "true" and again.status_code == 201


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.5",
        "page=1_0",
        "per_page=0",
        "per_page=",
        "offset=-1",
        "page=99999999999999999999",
        "status=paid",
        "page=１",
    ],
)
def test_bad_numbers_in_a_query(client: FlaskClient, payer, query: str) -> None:
    answer = client.get(f"/api/v1/payments?{query}", headers=payer.headers)
    assert answer.status_code == 400
    assert answer.get_json()["success"] is False  # this list is the Gateway API's
