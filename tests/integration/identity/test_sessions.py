"""One's own sessions and password, and what an operator may end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import clock, create_app
from app.services.identity import passwords
from tests.support.factories import PASSWORD, SignedInUser, make_user

Rows = Callable[..., list[Any]]
NEW_PASSWORD = "Better-Pass-456"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _log_in(client: FlaskClient, user: SignedInUser, password: str = PASSWORD) -> TestResponse:
    environ = {"REMOTE_ADDR": f"2001:db8:{secrets.token_hex(2)}:7::1"}
    body = {"email": user.email, "password": password}
    return client.post("/api/v1/auth/login", json=body, environ_overrides=environ)


def _second_session(client: FlaskClient, user: SignedInUser) -> dict[str, str]:
    return _bearer(_log_in(client, user).json["access_token"])


def _is_live(client: FlaskClient, headers: dict[str, str]) -> bool:
    answer = client.get("/api/v1/accounts", headers=headers)
    assert answer.status_code == 200 or answer.json["error"]["code"] == "TOKEN_INVALID"
    return answer.status_code == 200


def _events(rows: Rows, user: SignedInUser) -> list[tuple[str, str, dict[str, Any]]]:
    """(type, actor, data) of what was recorded about the user, without logins."""
    found = rows(
        "SELECT type, actor, data FROM outbox WHERE object_id = :id AND type <> 'user.logged_in' ORDER BY id",
        id=user.public_id,
    )
    return [tuple(row) for row in found]


@pytest.fixture
def other_process(settings: dict[str, str]) -> FlaskClient:
    return create_app(settings).test_client()


def test_a_session_ends_thirty_days_after_its_login_however_often_it_is_refreshed(
    app: Flask, client: FlaskClient
) -> None:
    """Breaks when each refresh begins the session's life anew."""
    user = make_user(app)
    pair = _log_in(client, user).json
    for days in (20, 9):
        clock.travel(timedelta(days=days))
        pair = client.post("/v1/auth/refresh", headers=_bearer(pair["refresh_token"])).json
    clock.travel(timedelta(hours=23, minutes=30))
    pair = client.post("/v1/auth/refresh", headers=_bearer(pair["refresh_token"])).json
    assert pair["expires_in"] <= 30 * 60
    clock.travel(timedelta(minutes=30))
    assert client.get("/api/v1/accounts", headers=_bearer(pair["access_token"])).status_code == 401
    ended = client.post("/v1/auth/refresh", headers=_bearer(pair["refresh_token"]))
    assert (ended.status_code, ended.json["error"]["code"]) == (401, "TOKEN_EXPIRED")


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
def test_a_user_lists_sessions_and_ends_one(
    app: Flask, client: FlaskClient, other_process: FlaskClient, rows: Rows, prefix: str
) -> None:
    user, foreign = make_user(app), make_user(app)
    other = _second_session(client, user)
    listed = client.get(f"{prefix}/auth/sessions", headers=user.headers).json["sessions"]
    assert [one["is_current"] for one in listed] == [False, True]
    assert listed[0]["network"].startswith("2001:db8:") and listed[0]["network"].endswith("::/64")
    assert listed[0]["created_at"] == listed[0]["last_used_at"] < listed[0]["expires_at"]
    path = f"{prefix}/auth/sessions/{listed[0]['id']}"
    assert client.delete(path, headers=foreign.headers).status_code == 404
    assert _is_live(client, other)
    assert client.delete(path, headers=user.headers).json["status"] == "success"
    assert not _is_live(other_process, other) and _is_live(client, user.headers)
    assert client.delete(path, headers=user.headers).json["error"]["code"] == "NOT_FOUND"
    assert client.delete(f"{prefix}/auth/sessions/ses_x", headers=user.headers).status_code == 404
    assert len(client.get(f"{prefix}/auth/sessions", headers=user.headers).json["sessions"]) == 1
    facts = {"session": listed[0]["id"].removeprefix("ses_"), "reason": "ended_by_user"}
    assert _events(rows, user) == [("session.revoked", user.public_id, facts)]


def test_a_user_ends_all_other_sessions(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user, foreign = make_user(app), make_user(app)
    others = [_second_session(client, user) for _ in range(2)]
    ended = [client.delete("/api/v1/auth/sessions", headers=user.headers).json for _ in range(2)]
    assert [answer["sessions_ended"] for answer in ended] == [2, 0]
    assert [_is_live(client, headers) for headers in others] == [False, False]
    assert _is_live(client, user.headers) and _is_live(client, foreign.headers)
    facts = {"sessions": 2, "reason": "ended_by_user"}
    assert _events(rows, user) == [("user.sessions_ended", user.public_id, facts)]


def test_a_password_change_needs_the_current_one_and_ends_other_sessions(
    app: Flask, client: FlaskClient, rows: Rows
) -> None:
    user = make_user(app)
    other = _second_session(client, user)

    def change(current: str, new: str) -> TestResponse:
        body = {"current_password": current, "new_password": new}
        return client.post("/api/v1/auth/password", json=body, headers=user.headers)

    weak = change(PASSWORD, "weak")
    assert (weak.json["error"]["code"], weak.json["error"]["field"]) == ("WEAK_PASSWORD", "new_password")
    wrong = change("Wrong-1234", NEW_PASSWORD)
    assert (wrong.status_code, wrong.json["error"]["code"]) == (401, "INVALID_CREDENTIALS")
    assert wrong.json["error"]["field"] == "current_password"
    assert _is_live(client, other)
    changed = change(PASSWORD, NEW_PASSWORD)
    assert (changed.status_code, changed.json["sessions_ended"]) == (200, 1)
    assert _is_live(client, user.headers) and not _is_live(client, other)
    assert _log_in(client, user).status_code == 401
    assert _log_in(client, user, NEW_PASSWORD).status_code == 200
    assert [event for event in _events(rows, user) if event[0] != "auth.failed"] == [
        ("user.password_changed", user.public_id, {"sessions_ended": 1})
    ]


def test_guesses_with_a_stolen_session_wait_as_logins_do(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "is_correct", lambda password, _: password == PASSWORD)
    user = make_user(app)
    for number in range(6):
        body = {"current_password": f"Guess-{number}", "new_password": NEW_PASSWORD}
        answer = client.post("/api/v1/auth/password", json=body, headers=user.headers)
    assert answer.status_code == 429
    body["current_password"] = PASSWORD
    assert client.post("/api/v1/auth/password", json=body, headers=user.headers).status_code == 429


def test_an_operator_suspends_users_and_ends_their_sessions(
    app: Flask, client: FlaskClient, other_process: FlaskClient, rows: Rows
) -> None:
    user, operator = make_user(app), make_user(app)
    run = app.test_cli_runner().invoke
    assert run(args=["users", "grant", operator.email, "admin"]).exit_code == 0
    other = _second_session(client, user)

    def order(verb: str, public_id: str = user.public_id, reason: str = "case 4711") -> TestResponse:
        path = f"/api/v1/admin/users/{public_id}/{verb}"
        return client.post(path, json={"reason": reason}, headers=operator.headers)

    assert order("suspend").json["data"] == {
        "user_id": user.public_id,
        "is_active": False,
        "changed": True,
    }
    assert order("suspend").json["data"]["changed"] is False
    assert not _is_live(other_process, user.headers)
    assert order("reactivate").json["data"]["is_active"] is True
    assert _is_live(other_process, user.headers)
    assert order("end-sessions").json["data"] == {"user_id": user.public_id, "sessions_ended": 2}
    assert not _is_live(other_process, user.headers) and not _is_live(other_process, other)
    assert _log_in(client, user).status_code == 200
    for public_id in ("usr_" + "0" * 32, "usr_x", user.public_id.upper()):
        answer = order("suspend", public_id)
        assert answer.status_code == 404 and answer.json["success"] is False
    assert order("suspend", reason=" ").status_code == 400
    recorded = [(event, actor) for event, actor, data in _events(rows, user) if data["reason"] == "case 4711"]
    assert recorded == [
        ("user.suspended", operator.public_id),
        ("user.reactivated", operator.public_id),
        ("user.sessions_ended", operator.public_id),
    ]


def test_a_command_ends_a_users_sessions(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app)

    def run(email: str) -> Result:
        return app.test_cli_runner().invoke(args=["users", "end-sessions", email, "--reason", "stolen phone"])

    assert run(user.email).output == f"{user.email}: 1 session ended.\n"
    assert not _is_live(client, user.headers)
    assert run(user.email).output == f"{user.email}: 0 sessions ended.\n"
    assert run("unknown@example.com").exit_code == 1
    [(event, actor, data)] = _events(rows, user)
    assert event == "user.sessions_ended" and actor.startswith("cli:")
    assert data == {"sessions": 1, "reason": "stolen phone"}
