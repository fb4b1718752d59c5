"""Registration, login, refresh, logout: who gets in, who does not, and what ends a session."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import clock
from app.models import User
from app.unit_of_work import transaction
from tests.support.concurrency import concurrently
from tests.support.factories import PASSWORD, SignedInUser, make_user

Rows = Callable[..., list[Any]]


def registration(**changes: object) -> dict[str, object]:
    """A registration of a new user."""
    return {
        "email": f"new-{secrets.token_hex(6)}@example.com",
        "password": PASSWORD,
        "first_name": "New",
        "last_name": "User",
    } | changes


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
def test_register_answers_both_documents_formats(client: FlaskClient, prefix: str) -> None:
    body = registration(phone="+254 712-345678")
    answer = client.post(f"{prefix}/auth/register", json=body)
    got = answer.json
    assert answer.status_code == 201
    assert got["user_id"].startswith("usr_")
    assert got["user"] == {
        "id": got["user_id"],
        "email": body["email"],
        "email_confirmed": False,
        "first_name": "New",
        "last_name": "User",
        "phone": "+254 712-345678",
        "kyc_tier": "tier_0",
        "created_at": got["user"]["created_at"],
    }
    assert got["token"] == got["access_token"] != got["refresh_token"]
    assert (got["token_type"], got["expires_in"]) == ("Bearer", 3600)
    assert got["message"]
    assert got["data"] == {name: got[name] for name in got["data"]}
    assert {"user_id", "access_token", "refresh_token", "token_type", "expires_in", "user"} == set(
        got["data"]
    )
    accounts = client.get("/api/v1/accounts", headers=bearer(got["access_token"]))
    assert accounts.json == {"accounts": []}


def test_login_finds_the_user_however_the_address_is_written(client: FlaskClient) -> None:
    body = registration(email=f"  MiXed-{secrets.token_hex(6)}@Example.COM ")
    registered = client.post("/api/v1/auth/register", json=body).json
    assert registered["user"]["email"] == str(body["email"]).strip().lower()
    answer = client.post("/v1/auth/login", json={"email": str(body["email"]).upper(), "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json["user_id"] == registered["user_id"]
    assert answer.json["access_token"] != registered["access_token"]


def test_a_letter_that_becomes_ascii_in_lower_case_is_another_address(
    app: Flask, client: FlaskClient
) -> None:
    """Breaks when the address is looked up after it was put into lower case: the Kelvin sign becomes a k."""
    user = make_user(app, email=f"k{secrets.token_hex(6)}@example.com")
    body = {"email": user.email.replace("k", "\N{KELVIN SIGN}", 1), "password": PASSWORD}
    assert code_of(client.post("/v1/auth/login", json=body)) == (401, "INVALID_CREDENTIALS")


def test_known_address_is_refused(client: FlaskClient) -> None:
    body = registration()
    assert client.post("/api/v1/auth/register", json=body).status_code == 201
    again = client.post("/api/v1/auth/register", json=body | {"email": str(body["email"]).upper()})
    assert code_of(again) == (409, "EMAIL_EXISTS")


def test_registering_at_once_makes_one_user(app: Flask, rows: Rows) -> None:
    """Broken by: looking the address up first and inserting without the unique key's word."""
    body = registration()
    answers = concurrently(12, lambda _: app.test_client().post("/api/v1/auth/register", json=body))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert rows("SELECT count(*) FROM users WHERE email = :email", email=body["email"]) == [(1,)]
    winner = next(answer.json for answer in answers if answer.status_code == 201)
    events = rows("SELECT type FROM outbox WHERE object_id = :id ORDER BY id", id=winner["user_id"])
    events += rows("SELECT type FROM events WHERE object_id = :id ORDER BY seq", id=winner["user_id"])
    assert events == [("user.registered",), ("user.logged_in",)]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"password": "short1!"}, "WEAK_PASSWORD", "password"),
        ({"password": ""}, "WEAK_PASSWORD", "password"),
        ({"password": "nouppercase1!"}, "WEAK_PASSWORD", "password"),
        ({"password": "A1!" + "a" * 300}, "INVALID_REQUEST", "password"),
        ({"password": None}, "INVALID_REQUEST", "password"),
        ({"password": 12345678}, "INVALID_REQUEST", "password"),
        ({"email": "not an address"}, "INVALID_REQUEST", "email"),
        ({"email": ["a@example.com"]}, "INVALID_REQUEST", "email"),
        ({"email": "a" * 250 + "@example.com"}, "INVALID_REQUEST", "email"),
        ({"first_name": ""}, "INVALID_REQUEST", "first_name"),
        ({"first_name": "line\nbreak"}, "INVALID_REQUEST", "first_name"),
        ({"last_name": "x" * 101}, "INVALID_REQUEST", "last_name"),
        ({"phone": "call me"}, "INVALID_REQUEST", "phone"),
        ({"business_name": ""}, "INVALID_REQUEST", "business_name"),
        ({"business_name": "  "}, "INVALID_REQUEST", "business_name"),
        ({"business_name": None}, "INVALID_REQUEST", "business_name"),
        ({"business_name": "x" * 101}, "INVALID_REQUEST", "business_name"),
        ({"business_name": "Acme", "currency": "XXX"}, "UNSUPPORTED_CURRENCY", "currency"),
        ({"business_name": "Acme", "first_name": ""}, "INVALID_REQUEST", "first_name"),
        ({"business_name": "Acme", "plan": "enterprise"}, "INVALID_REQUEST", "plan"),
        ({"currency": "KES"}, "INVALID_REQUEST", "currency"),
        ({"tier": 3}, "INVALID_REQUEST", "tier"),
        ({"is_active": True}, "INVALID_REQUEST", "is_active"),
        ({"id": "usr_" + "0" * 32}, "INVALID_REQUEST", "id"),
    ],
)
def test_register_refuses(client: FlaskClient, changes: dict[str, object], code: str, field: str) -> None:
    answer = client.post("/api/v1/auth/register", json=registration(**changes))
    assert code_of(answer) == (400, code)
    assert answer.json["error"]["field"] == field


def test_a_wrong_password_and_an_unknown_address_look_the_same(app: Flask, client: FlaskClient) -> None:
    known = make_user(app)
    wrong = client.post("/api/v1/auth/login", json={"email": known.email, "password": "Wrong-1234"})
    unknown = client.post(
        "/api/v1/auth/login", json={"email": "nobody@example.com", "password": "Wrong-1234"}
    )
    nonsense = client.post("/api/v1/auth/login", json={"email": "nonsense", "password": "Wrong-1234"})
    assert code_of(wrong) == (401, "INVALID_CREDENTIALS")
    assert wrong.json == unknown.json == nonsense.json


def test_a_disabled_user_neither_logs_in_nor_goes_on(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    disable(app, user)
    answer = client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})
    assert code_of(answer) == (401, "INVALID_CREDENTIALS")
    assert code_of(client.get("/api/v1/accounts", headers=user.headers)) == (401, "TOKEN_INVALID")
    assert code_of(client.post("/api/v1/auth/refresh", headers=bearer(user.refresh_token))) == (
        401,
        "TOKEN_INVALID",
    )


def test_login_makes_an_outdated_hash_anew(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app)
    outdated = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with app.app_context():
        transaction(lambda session: setattr(session.get(User, user.user_id), "password_hash", outdated))
    answers = concurrently(
        4,
        lambda _: app.test_client().post("/v1/auth/login", json={"email": user.email, "password": PASSWORD}),
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    [(now_stored,)] = rows("SELECT password_hash FROM users WHERE id = :id", id=user.user_id)
    assert now_stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_passwords_are_never_stored_or_returned(client: FlaskClient, rows: Rows) -> None:
    secret = f"Very-Secret-{secrets.token_hex(8)}"
    answer = client.post("/api/v1/auth/register", json=registration(password=secret))
    assert answer.status_code == 201
    assert secret not in answer.text
    assert "argon2" not in answer.text
    kept = rows(
        "SELECT u::text, (SELECT string_agg(o::text, '') FROM outbox o) FROM users u WHERE id = :id",
        id=answer.json["user_id"].removeprefix("usr_"),
    )
    assert secret not in str(kept)


@pytest.mark.parametrize("way", ["header", "body"])
def test_refresh_swaps_the_pair(app: Flask, client: FlaskClient, way: str) -> None:
    user = make_user(app)
    answer = (
        client.post("/api/v1/auth/refresh", headers=bearer(user.refresh_token))
        if way == "header"
        # A client may send its access token along by habit: the body decides.
        else client.post("/v1/auth/refresh", json={"refresh_token": user.refresh_token}, headers=user.headers)
    )
    assert answer.status_code == 200
    assert answer.json["refresh_token"] != user.refresh_token
    assert client.get("/api/v1/accounts", headers=bearer(answer.json["access_token"])).status_code == 200
    again = client.post("/api/v1/auth/refresh", headers=bearer(answer.json["refresh_token"]))
    assert again.status_code == 200


def test_a_refresh_token_used_twice_ends_the_session(app: Flask, client: FlaskClient, rows: Rows) -> None:
    """Broken by: rotating without comparing with the session's own refresh id."""
    user = make_user(app)
    pair = client.post("/api/v1/auth/refresh", headers=bearer(user.refresh_token)).json
    stolen = client.post("/api/v1/auth/refresh", headers=bearer(user.refresh_token))
    assert code_of(stolen) == (401, "TOKEN_INVALID")
    assert code_of(client.get("/api/v1/accounts", headers=bearer(pair["access_token"]))) == (
        401,
        "TOKEN_INVALID",
    )
    assert code_of(client.post("/v1/auth/refresh", headers=bearer(pair["refresh_token"]))) == (
        401,
        "TOKEN_INVALID",
    )
    reasons = rows(
        "SELECT data ->> 'reason' FROM outbox WHERE type = 'session.revoked' AND object_id = :id",
        id=user.public_id,
    )
    assert reasons == [("refresh_reused",)]


def test_a_refresh_token_used_many_times_at_once_works_at_most_once(app: Flask) -> None:
    user = make_user(app)
    answers = concurrently(
        10,
        lambda _: app.test_client().post("/v1/auth/refresh", headers=bearer(user.refresh_token)).status_code,
    )
    assert sorted(answers) == [200] + [401] * 9


def test_logout_ends_both_tokens_at_once_and_leaves_other_sessions(app: Flask, client: FlaskClient) -> None:
    """Broken by: revoking in a cache, or only the token that was sent."""
    user = make_user(app)
    other = client.post("/v1/auth/login", json={"email": user.email, "password": PASSWORD}).json
    answer = client.post("/api/v1/auth/logout", headers=user.headers)
    assert (answer.status_code, answer.json["status"]) == (200, "success")
    assert code_of(client.get("/api/v1/accounts", headers=user.headers)) == (401, "TOKEN_INVALID")
    assert code_of(client.post("/v1/auth/refresh", headers=bearer(user.refresh_token))) == (
        401,
        "TOKEN_INVALID",
    )
    assert code_of(client.post("/v1/auth/logout", headers=user.headers)) == (401, "TOKEN_INVALID")
    assert client.get("/api/v1/accounts", headers=bearer(other["access_token"])).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "TOKEN_MISSING"),
        ({"Authorization": "Basic dTpw"}, "TOKEN_MISSING"),
        ({"Authorization": "Bearer nonsense"}, "TOKEN_INVALID"),
        ({"Authorization": "Bearer " + "x" * 5000}, "TOKEN_INVALID"),
    ],
)
def test_refresh_without_a_refresh_token(client: FlaskClient, headers: dict[str, str], code: str) -> None:
    assert code_of(client.post("/api/v1/auth/refresh", headers=headers)) == (401, code)


def test_access_and_refresh_tokens_do_not_stand_in_for_each_other(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    assert code_of(client.post("/v1/auth/refresh", headers=user.headers)) == (401, "TOKEN_INVALID")
    assert code_of(client.get("/api/v1/accounts", headers=bearer(user.refresh_token))) == (
        401,
        "TOKEN_INVALID",
    )


def test_tokens_expire(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    clock.travel(timedelta(seconds=3601))
    assert code_of(client.get("/api/v1/accounts", headers=user.headers)) == (401, "TOKEN_EXPIRED")
    assert client.post("/v1/auth/refresh", headers=bearer(user.refresh_token)).status_code == 200
    clock.travel(timedelta(days=31))
    assert code_of(client.post("/v1/auth/refresh", headers=bearer(user.refresh_token))) == (
        401,
        "TOKEN_EXPIRED",
    )


def test_forged_token_is_refused(app: Flask, client: FlaskClient) -> None:
    user, victim = make_user(app), make_user(app)
    header, payload, signature = user.access_token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = _part(claims | {"sub": victim.public_id, "sid": victim.session_id.hex})
    unsigned = f"{_part({'alg': 'none', 'typ': 'JWT'})}.{forged}."
    for token in (f"{header}.{forged}.{signature}", unsigned, f"{header}.{payload}.", f"{header}.{payload}"):
        assert code_of(client.get("/api/v1/accounts", headers=bearer(token))) == (401, "TOKEN_INVALID")


def test_a_token_for_anothers_session_is_refused(app: Flask, client: FlaskClient) -> None:
    """The session's row decides whose it is, even for a token that our own key signed."""
    from app.services.identity import tokens

    user, victim = make_user(app), make_user(app)
    with app.app_context():
        mixed = tokens.issue(victim.user_id, session_id=user.session_id, refresh_id=user.session_id)
    assert code_of(client.get("/api/v1/accounts", headers=bearer(mixed.access_token))) == (
        401,
        "TOKEN_INVALID",
    )
    assert code_of(client.post("/v1/auth/refresh", headers=bearer(mixed.refresh_token))) == (
        401,
        "TOKEN_INVALID",
    )
    assert client.get("/api/v1/accounts", headers=user.headers).status_code == 200


def test_sign_ins_are_recorded_with_actor_and_address_but_not_for_the_public(
    app: Flask, client: FlaskClient, rows: Rows
) -> None:
    user = make_user(app)
    client.post("/v1/auth/login", json={"email": user.email, "password": PASSWORD})
    client.post("/v1/auth/logout", headers=user.headers)
    recorded = rows(
        "SELECT type, actor, address, is_public, data FROM outbox WHERE object_id = :id ORDER BY id",
        id=user.public_id,
    )
    assert [row[:4] for row in recorded] == [
        ("user.logged_in", user.public_id, "127.0.0.1", False),
        ("user.logged_out", user.public_id, "127.0.0.1", False),
    ]
    assert all(set(row.data) == {"session"} for row in recorded)


def disable(app: Flask, user: SignedInUser) -> None:
    with app.app_context():
        transaction(lambda session: setattr(session.get(User, user.user_id), "is_active", False))


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
