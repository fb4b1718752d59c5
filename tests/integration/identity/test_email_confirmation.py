"""A user is paid by their e-mail address once it is confirmed, and by whom it can be."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from app import clock, create_app
from app.services.identity.email_confirmation import TOKEN_LIFE
from tests.support.concurrency import concurrently
from tests.support.factories import PASSWORD, SignedInUser, balance_of, make_user, make_wallet
from tests.support.migrations import migration
from tests.support.wallet_payments import outcome, outcomes, pay, pay_batch

Rows = Callable[..., list[Any]]


@pytest.fixture
def unconfirmed(app: Flask) -> SignedInUser:
    user = make_user(app, is_confirmed=False)
    make_wallet(app, user)
    return user


def _command(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["users", *words])


def _token(app: Flask, user: SignedInUser) -> str:
    printed = _command(app, "email-token", user.email)
    assert printed.exit_code == 0, printed.output
    return printed.output.split()[-1]


def _confirm(client: FlaskClient, user: SignedInUser, token: str) -> TestResponse:
    return client.post("/api/v1/auth/confirm-email", json={"token": token}, headers=user.headers)


def _is_paid(app: Flask, client: FlaskClient, user: SignedInUser) -> bool:
    sender = make_user(app)
    answer = pay(client, sender, make_wallet(app, sender, balance="1"), user.email, 1)
    assert outcome(answer) in [(201, "pending"), (404, "RECIPIENT_NOT_FOUND")]
    return answer.status_code == 201


def _events(rows: Rows, user: SignedInUser) -> list[tuple[str, str]]:
    """(type, the actor without the name of the operating system's user)."""
    found = rows("SELECT type, actor FROM outbox WHERE object_id = :id ORDER BY id", id=user.public_id)
    return [(row.type, row.actor.partition(":")[0]) for row in found]


def test_an_unconfirmed_address_is_answered_as_an_unknown_one(
    app: Flask, client: FlaskClient, unconfirmed: SignedInUser
) -> None:
    """Breaks when whoever registers an address first is paid what is meant for its owner."""
    sender, wallet = make_user(app), make_wallet(app, unconfirmed)
    source = make_wallet(app, sender, balance="10")
    unknown = f"{secrets.token_hex(6)}@example.com"
    answers = [pay(client, sender, source, email, 1) for email in (unconfirmed.email, unknown)]
    assert [outcome(answer) for answer in answers] == [(404, "RECIPIENT_NOT_FOUND")] * 2
    assert answers[0].data == answers[1].data
    items = [{"destination": destination, "amount": 1} for destination in (unconfirmed.email, wallet)]
    assert outcomes(pay_batch(client, sender, source, items)) == ["RECIPIENT_NOT_FOUND", "pending"]
    assert balance_of(app, sender, source) == "9.00"


@pytest.mark.parametrize(("mode", "is_confirmed"), [("demo", True), ("production", False)])
def test_registration_confirms_the_address_in_a_demo_only(
    app: Flask, client: FlaskClient, settings: dict[str, str], mode: str, is_confirmed: bool
) -> None:
    registering = create_app({**settings, "GATEWAY_ENV": mode, "REALTIME": "external"}).test_client()
    body = {"email": f"{secrets.token_hex(6)}@example.com", "password": PASSWORD}
    registered = registering.post(
        "/api/v1/auth/register", json=body | {"first_name": "Dana", "last_name": "Okafor"}
    ).json
    assert registered["user"]["email_confirmed"] is is_confirmed
    headers = {"Authorization": f"Bearer {registered['access_token']}"}
    registering.post("/api/v1/accounts/wallets", json={"currency": "USD"}, headers=headers)
    sender = make_user(app)
    answer = pay(client, sender, make_wallet(app, sender, balance="1"), body["email"], 1)
    assert (answer.status_code == 201) is is_confirmed


def test_the_token_that_an_operator_sends_confirms_once(
    app: Flask, client: FlaskClient, unconfirmed: SignedInUser, rows: Rows
) -> None:
    earlier, token = _token(app, unconfirmed), _token(app, unconfirmed)
    assert not rows("SELECT 1 FROM email_confirmations e WHERE e::text LIKE :token", token=f"%{token}%")
    for wrong in (earlier, token[:-1], "é", "x"):
        refused = _confirm(client, unconfirmed, wrong)
        assert (refused.status_code, refused.json["error"]["field"]) == (400, "token")
    assert not _is_paid(app, client, unconfirmed)
    answers = concurrently(4, lambda _: _confirm(app.test_client(), unconfirmed, token))
    assert [answer.json["user"]["email_confirmed"] for answer in answers] == [True] * 4
    assert _is_paid(app, client, unconfirmed)
    assert _command(app, "email-token", unconfirmed.email).exit_code == 1
    assert not rows("SELECT 1 FROM email_confirmations WHERE user_id = :id", id=unconfirmed.user_id)
    assert _events(rows, unconfirmed) == [
        ("user.email_token_made", "cli"),
        ("user.email_token_made", "cli"),
        ("user.email_confirmed", unconfirmed.public_id),
    ]


def test_neither_a_foreign_session_nor_an_old_token_confirms(
    app: Flask, client: FlaskClient, unconfirmed: SignedInUser
) -> None:
    """Breaks when the token alone is enough: the owner of a mailbox would confirm it for who registered it."""
    token, other = _token(app, unconfirmed), make_user(app, is_confirmed=False)
    assert _confirm(client, other, token).status_code == 400
    assert client.post("/api/v1/auth/confirm-email", json={"token": token}).status_code == 401
    clock.travel(TOKEN_LIFE)
    late = client.post("/v1/auth/login", json={"email": unconfirmed.email, "password": PASSWORD}).json
    headers = {"Authorization": f"Bearer {late['access_token']}"}
    expired = client.post("/v1/auth/confirm-email", json={"token": token}, headers=headers)
    assert expired.status_code == 400
    clock.reset()
    assert not _is_paid(app, client, unconfirmed)


def test_an_operator_confirms_an_address_that_is_known(
    app: Flask, client: FlaskClient, unconfirmed: SignedInUser, rows: Rows
) -> None:
    email = unconfirmed.email
    token = _token(app, unconfirmed)
    assert _command(app, "confirm-email", email.upper()).output == f"{email.upper()} is confirmed.\n"
    assert _command(app, "confirm-email", email).output == f"{email} is confirmed, as before.\n"
    assert _command(app, "confirm-email", "unknown@example.com").exit_code == 1
    assert _is_paid(app, client, unconfirmed)
    assert _confirm(client, unconfirmed, token).status_code == 200
    assert _events(rows, unconfirmed) == [("user.email_token_made", "cli"), ("user.email_confirmed", "cli")]


def test_users_from_before_stay_confirmed(app: Flask) -> None:
    """Breaks when an upgrade ends payments to existing users."""
    user, engine = make_user(app, is_confirmed=False), create_engine(app.config["OWNER_DATABASE_URI"])
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE email_confirmations")
        connection.exec_driver_sql("ALTER TABLE users DROP COLUMN email_confirmed_at")
        connection.exec_driver_sql(migration("identity").EMAILS)
        found = connection.execute(
            text("SELECT email_confirmed_at = created_at FROM users WHERE id = :id"), {"id": user.user_id}
        ).scalar_one()
        connection.rollback()
    engine.dispose()
    assert found is True
