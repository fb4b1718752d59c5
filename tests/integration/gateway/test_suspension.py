"""Suspended tenants and users: refused at once on every process, while money under way still arrives."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from app import clock, create_app
from tests.integration.gateway.conftest import CPay, MerchantClient
from tests.support.factories import PASSWORD, SignedInUser, balance_of, make_user, make_wallet

REFUSED = {"success": False, "error": "The API key is not valid."}
REASON = ("--reason", "fraud report 4711")


@pytest.fixture
def command(app: Flask) -> Callable[..., Result]:
    """Runs `flask …`, which must succeed."""

    def run(*args: str) -> Result:
        result = app.test_cli_runner().invoke(args=list(args))
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture
def other_process(settings: dict[str, str]) -> FlaskClient:
    return create_app(settings).test_client()


def _recorded(rows: Callable[..., list[Any]], object_id: str, noun: str) -> list[tuple[str, str, str]]:
    """(type, actor's kind, reason) of the suspensions and reactivations of an object."""
    found = rows(
        "SELECT type, split_part(actor, ':', 1), data->>'reason', at FROM outbox "
        "WHERE object_id = :id AND type IN (:a, :b) UNION ALL "
        "SELECT type, split_part(actor, ':', 1), data->>'reason', at FROM events "
        "WHERE object_id = :id AND type IN (:a, :b) ORDER BY at",
        id=object_id,
        a=f"{noun}.suspended",
        b=f"{noun}.reactivated",
    )
    return [tuple(row)[:3] for row in found]


def test_a_suspended_tenants_key_is_refused_until_it_is_reactivated(
    merchant: MerchantClient,
    other_merchant: MerchantClient,
    other_process: FlaskClient,
    command: Callable[..., Result],
    rows: Callable[..., list[Any]],
) -> None:
    payment_id = merchant.paid()["id"]
    tenant_id = str(merchant.tenant_id)
    said = command("tenants", "suspend", tenant_id, *REASON).output
    assert said == f"Tenant {tenant_id} is suspended.\n"
    assert command("tenants", "suspend", tenant_id, *REASON).output.endswith("suspended, as before.\n")
    for client in (merchant.client, other_process):
        for path in ("/payments", f"/payments/{payment_id}", "/payments/providers"):
            answer = client.get(f"/api/v1{path}", headers=merchant.headers)
            assert (answer.status_code, answer.json) == (401, REFUSED), path
    assert merchant.initialize().status_code == 401
    assert merchant.refund(payment_id).status_code == 401
    assert other_merchant.get("").status_code == 200
    command("tenants", "reactivate", tenant_id, "--reason", "cleared")
    assert merchant.get(f"/{payment_id}").json["data"]["status"] == "completed"
    assert _recorded(rows, tenant_id, "tenant") == [
        ("tenant.suspended", "cli", "fraud report 4711"),
        ("tenant.reactivated", "cli", "cleared"),
    ]


def test_money_of_a_suspended_tenant_still_arrives(
    merchant: MerchantClient,
    cpay: CPay,
    command: Callable[..., Result],
    rows: Callable[..., list[Any]],
    run_due_jobs: Callable[[], int],
) -> None:
    """By callback, and by the follow-up of an answer that was lost; an operator's refund is recorded too."""
    waiting, lost, paid = merchant.waiting(), merchant.initialize(amount=7001).json["data"], merchant.paid()
    command("tenants", "suspend", str(merchant.tenant_id), *REASON)
    assert cpay.send(cpay.callback_body(waiting)).status_code == 200
    clock.travel(timedelta(minutes=10))
    run_due_jobs()
    command("payments", "record-refund", paid["id"], "100.00", "--reference", f"r-{secrets.token_hex(4)}")
    statuses = {
        str(row.id): row.status
        for row in rows("SELECT id, status FROM payments WHERE tenant_id = :id", id=merchant.tenant_id)
    }
    assert [statuses[payment["id"]] for payment in (waiting, lost, paid)] == [
        "completed",
        "completed",
        "partially_refunded",
    ]


def _log_in(client: FlaskClient, user: SignedInUser) -> Any:
    return client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})


def test_a_suspended_users_tokens_and_logins_are_refused_until_they_are_reactivated(
    app: Flask,
    client: FlaskClient,
    other_process: FlaskClient,
    command: Callable[..., Result],
    rows: Callable[..., list[Any]],
) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user, balance="50")
    pay = {"source_wallet_id": wallet, "amount": "1", "destination": make_wallet(app, make_user(app))}
    command("users", "suspend", user.email.upper(), *REASON)
    assert command("users", "suspend", user.email, *REASON).output.endswith("suspended, as before.\n")
    for process in (client, other_process):
        answers = [
            process.get("/api/v1/accounts", headers=user.headers),
            process.get("/api/v1/payments", headers=user.headers),
            process.post("/api/v1/payments", json=pay, headers=user.headers),
            process.post("/api/v1/auth/refresh", json={"refresh_token": user.refresh_token}),
            _log_in(process, user),
        ]
        assert [answer.status_code for answer in answers] == [401] * 5
        assert answers[0].json["error"]["code"] == "TOKEN_INVALID"
        assert answers[1].json["success"] is False
        assert answers[4].json["error"]["code"] == "INVALID_CREDENTIALS"
    command("users", "reactivate", user.email, "--reason", "cleared")
    assert client.post("/api/v1/payments", json=pay, headers=user.headers).status_code == 201
    assert _log_in(client, user).status_code == 200
    assert _recorded(rows, user.public_id, "user") == [
        ("user.suspended", "cli", "fraud report 4711"),
        ("user.reactivated", "cli", "cleared"),
    ]


def test_a_payment_of_a_suspended_user_completes_and_their_e_mail_is_not_found(
    app: Flask, client: FlaskClient, command: Callable[..., Result], publish: Callable[[], None]
) -> None:
    user, recipient = make_user(app), make_user(app)
    own, theirs = make_wallet(app, user, balance="50"), make_wallet(app, recipient, balance="5")
    body = {"source_wallet_id": own, "amount": "10", "destination": theirs}
    assert client.post("/api/v1/payments", json=body, headers=user.headers).status_code == 201
    command("users", "suspend", user.email, *REASON)
    publish()
    assert balance_of(app, recipient, theirs) == "15.00"
    back = {"source_wallet_id": theirs, "amount": "1", "destination": user.email}
    answer = client.post("/api/v1/payments", json=back, headers=recipient.headers)
    assert answer.json["error"]["code"] == "RECIPIENT_NOT_FOUND"
    by_wallet = client.post("/api/v1/payments", json=back | {"destination": own}, headers=recipient.headers)
    assert by_wallet.status_code == 201


def test_a_suspended_operator_is_refused(
    app: Flask, client: FlaskClient, operator: SignedInUser, command: Callable[..., Result]
) -> None:
    assert client.get("/api/v1/admin/statistics", headers=operator.headers).status_code == 200
    command("users", "suspend", operator.email, *REASON)
    assert client.get("/api/v1/admin/statistics", headers=operator.headers).status_code == 401


@pytest.mark.parametrize(
    "args",
    [
        ("tenants", "suspend", "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c12", *REASON),
        ("tenants", "reactivate", "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c12", *REASON),
        ("users", "suspend", "nobody@example.org", *REASON),
        ("users", "reactivate", "nobody@example.org", *REASON),
        ("users", "suspend", "nobody@example.org", "--reason", " "),
        ("users", "suspend", "nobody@example.org", "--reason", "a\nb"),
        ("tenants", "suspend", "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c12", "--reason", "x" * 201),
    ],
)
def test_what_cannot_be_suspended_is_a_sentence(app: Flask, args: tuple[str, ...]) -> None:
    result = app.test_cli_runner().invoke(args=list(args))
    assert result.exit_code == 1 and result.output.startswith("Error: ")
