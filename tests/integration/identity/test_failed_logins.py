"""Wrong passwords: how many are compared, how long a user waits, and what is recorded."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import clock
from app.services.identity import password_attempts, passwords
from app.services.identity.password_attempts import FREE_FAILURES, MAX_WAIT
from tests.support.concurrency import concurrently
from tests.support.factories import PASSWORD, make_user

Rows = Callable[..., list[Any]]
WRONG = "Wrong-1234"


def _address() -> str:
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def _log_in(
    client: FlaskClient, email: str, password: str = WRONG, address: str | None = None
) -> TestResponse:
    """From an address that was never used, unless one is given."""
    environ = {"REMOTE_ADDR": address or _address()}
    body = {"email": email, "password": password}
    return client.post("/api/v1/auth/login", json=body, environ_overrides=environ)


@pytest.fixture
def unhashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were compared; comparing costs nothing here."""
    compared: list[str] = []

    def is_correct(password: str, password_hash: str | None) -> bool:
        compared.append(password)
        return password == PASSWORD and password_hash is not None

    monkeypatch.setattr(passwords, "is_correct", is_correct)
    return compared


def test_many_addresses_have_five_attempts_at_a_password_together(app: Flask, unhashed: list[str]) -> None:
    """Breaks when only addresses are counted, or when attempts are counted after the password was compared."""
    user = make_user(app)
    codes = concurrently(16, lambda _: _log_in(app.test_client(), user.email).status_code)
    assert Counter(codes) == {401: FREE_FAILURES, 429: 16 - FREE_FAILURES}
    assert len(unhashed) == FREE_FAILURES


def test_a_wait_answers_the_same_whether_the_user_exists_or_the_password_is_right(
    app: Flask, client: FlaskClient, unhashed: list[str]
) -> None:
    known, unknown = make_user(app).email, f"{secrets.token_hex(6)}@example.com"
    for _ in range(FREE_FAILURES):
        assert _log_in(client, known).json == _log_in(client, unknown).json
    compared = len(unhashed)
    answers = [_log_in(client, known), _log_in(client, known.upper(), PASSWORD), _log_in(client, unknown)]
    assert [answer.status_code for answer in answers] == [429] * 3
    assert len({answer.data for answer in answers}) == 1 and "wrong passwords" in answers[0].text
    assert all(1 <= int(answer.headers["Retry-After"]) <= 30 for answer in answers)
    assert len(unhashed) == compared


def test_waits_grow_to_a_maximum_and_end_with_the_right_password(
    app: Flask, client: FlaskClient, unhashed: list[str], rows: Rows
) -> None:
    user = make_user(app)
    for _ in range(FREE_FAILURES - 1):
        _log_in(client, user.email)
    for _ in range(7):
        assert _log_in(client, user.email).status_code == 401
        assert _log_in(client, user.email).status_code == 429
        clock.travel(MAX_WAIT)
    assert _log_in(client, user.email, PASSWORD).status_code == 200
    assert _log_in(client, user.email).status_code == 401
    waits = rows(
        "SELECT data -> 'wait_s' FROM outbox WHERE type = 'auth.failed' AND object_id = :id ORDER BY id",
        id=user.public_id,
    )
    assert [wait for (wait,) in waits] == [0, 30, 60, 120, 240, 480, 900, 900, 0]


def test_others_do_not_lock_a_person_out_of_a_network_they_have_used(
    app: Flask, client: FlaskClient, unhashed: list[str]
) -> None:
    """Breaks when one count of failures holds for every network."""
    email, home = make_user(app).email, _address()
    assert _log_in(client, email, PASSWORD, home).status_code == 200
    for _ in range(FREE_FAILURES + 1):
        refused = _log_in(client, email)
    assert refused.status_code == 429
    assert _log_in(client, email, PASSWORD).status_code == 429
    assert _log_in(client, email, PASSWORD, home.replace("::1", "::2")).status_code == 200
    codes = [_log_in(client, email, WRONG, home).status_code for _ in range(FREE_FAILURES + 1)]
    assert codes == [401] * FREE_FAILURES + [429]


def test_failed_logins_leave_few_events_and_a_log_line_each(
    app: Flask, client: FlaskClient, unhashed: list[str], rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    user, unknown = make_user(app), f"{secrets.token_hex(6)}@example.com"
    for email in (user.email, unknown):
        for _ in range(FREE_FAILURES + 3):
            _log_in(client, email, address="203.0.113.7")
    recorded = rows(
        "SELECT data, actor, address, is_public FROM outbox WHERE type = 'auth.failed' AND object_id = :id ORDER BY id",
        id=user.public_id,
    )
    assert [tuple(row) for row in recorded] == [
        ({"kind": "login", "failures": 1, "wait_s": 0}, "system", "203.0.113.7", False),
        ({"kind": "login", "failures": FREE_FAILURES, "wait_s": 30}, "system", "203.0.113.7", False),
    ]
    lines = [line for line in capsys.readouterr().err.splitlines() if "auth.failed" in line]
    assert len(lines) == 2 * FREE_FAILURES
    assert all("203.0.113.7" in line for line in lines)
    assert sum(user.public_id in line for line in lines) == FREE_FAILURES
    assert sum("email_digest" in line for line in lines) == FREE_FAILURES
    assert not any(secret in line for line in lines for secret in (WRONG, unknown, user.email))


def test_a_refused_refresh_token_is_logged(
    app: Flask, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    user = make_user(app)
    client.post("/api/v1/auth/logout", headers=user.headers)
    client.post("/api/v1/auth/refresh", json={"refresh_token": user.refresh_token})
    [line] = [line for line in capsys.readouterr().err.splitlines() if "auth.failed" in line]
    assert "token_refresh" in line and user.public_id in line and "127.0.0.1" in line


def test_old_rows_of_failures_are_deleted(app: Flask, client: FlaskClient, unhashed: list[str]) -> None:
    _log_in(client, f"{secrets.token_hex(6)}@example.com")
    with app.app_context():
        from app.unit_of_work import transaction

        def swept(now) -> int:
            return transaction(
                lambda session: password_attempts.delete_forgotten(session, now=now, limit=500)
            )

        assert swept(clock.now() + timedelta(hours=25)) >= 1
        assert swept(clock.now() + timedelta(hours=25)) == 0
