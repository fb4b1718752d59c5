"""Wallets: opening, reading, history, and that another user's wallet is not found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import ids
from app.services.wallets import wallets
from tests.support.concurrency import concurrently
from tests.support.factories import make_user, make_wallet

ACCOUNTS = "/api/v1/accounts"

Rows = Callable[..., list[Any]]


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def test_open_wallet(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app)
    answer = client.post(f"{ACCOUNTS}/wallets", json={"currency": "USD"}, headers=user.headers)
    wallet = answer.json
    assert answer.status_code == 201
    assert wallet["id"].startswith("acc_")
    assert wallet == {
        "id": wallet["id"],
        "user_id": user.public_id,
        "currency": "USD",
        "balance": "0.00",
        "available_balance": "0.00",
        "type": "personal",
        "name": None,
        "status": "active",
        "created_at": wallet["created_at"],
    }
    assert wallet["created_at"].endswith("Z")
    assert client.get(ACCOUNTS, headers=user.headers).json == {"accounts": [wallet]}
    [event] = rows("SELECT type, actor, address, data FROM outbox WHERE object_id = :id", id=wallet["id"])
    assert event[:3] == ("wallet.opened", user.public_id, "127.0.0.1")
    assert event.data == {"user": user.public_id, "currency": "USD", "type": "personal"}


@pytest.mark.parametrize(("currency", "balance"), [("KES", "0.00"), ("JPY", "0"), ("KWD", "0.000")])
def test_balances_have_the_currencys_decimals(
    app: Flask, client: FlaskClient, currency: str, balance: str
) -> None:
    body = {"currency": currency, "type": "business", "name": "Shop"}
    wallet = client.post(f"{ACCOUNTS}/wallets", json=body, headers=make_user(app).headers).json
    assert (wallet["balance"], wallet["type"], wallet["name"]) == (balance, "business", "Shop")


@pytest.mark.parametrize("currency", ["XYZ", "CHF"])
def test_unsupported_currencies(app: Flask, client: FlaskClient, currency: str) -> None:
    """CHF has an exponent here but no US dollar rate, so no limit could be kept for it."""
    answer = client.post(f"{ACCOUNTS}/wallets", json={"currency": currency}, headers=make_user(app).headers)
    assert code_of(answer) == (400, "UNSUPPORTED_CURRENCY")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "currency"),
        ({"currency": None}, "currency"),
        ({"currency": ""}, "currency"),
        ({"currency": 840}, "currency"),
        ({"currency": ["USD"]}, "currency"),
        ({"currency": "USD", "type": "savings"}, "type"),
        ({"currency": "USD", "name": "x" * 101}, "name"),
        ({"currency": "USD", "balance": "100.00"}, "balance"),
        ({"currency": "USD", "user_id": "usr_" + "0" * 32}, "user_id"),
        ({"currency": "USD", "id": "acc_mine"}, "id"),
    ],
)
def test_open_wallet_refuses(app: Flask, client: FlaskClient, body: dict[str, object], field: str) -> None:
    answer = client.post(f"{ACCOUNTS}/wallets", json=body, headers=make_user(app).headers)
    assert code_of(answer) == (400, "INVALID_REQUEST")
    assert answer.json["error"]["field"] == field


def test_one_key_opens_one_wallet(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    headers = user.headers | {"Idempotency-Key": "open"}
    answers = concurrently(
        6, lambda _: app.test_client().post(f"{ACCOUNTS}/wallets", json={"currency": "USD"}, headers=headers)
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 5
    assert len(client.get(ACCOUNTS, headers=user.headers).json["accounts"]) == 1
    other = client.post(f"{ACCOUNTS}/wallets", json={"currency": "EUR"}, headers=headers)
    assert code_of(other) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_the_most_wallets_holds_when_opened_at_once(app: Flask, client: FlaskClient) -> None:
    """Broken by: counting without locking the user."""
    user = make_user(app)
    for _ in range(wallets.MAX_WALLETS - 1):
        make_wallet(app, user)
    answers = concurrently(
        5,
        lambda _: app.test_client().post(
            f"{ACCOUNTS}/wallets", json={"currency": "USD"}, headers=user.headers
        ),
    )
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400, 400]
    assert len(client.get(ACCOUNTS, headers=user.headers).json["accounts"]) == wallets.MAX_WALLETS


def test_a_list_shows_only_ones_own_oldest_first(app: Flask, client: FlaskClient) -> None:
    user, other = make_user(app), make_user(app)
    mine = [make_wallet(app, user, currency=currency) for currency in ("USD", "KES", "EUR")]
    make_wallet(app, other)
    assert [wallet["id"] for wallet in client.get(ACCOUNTS, headers=user.headers).json["accounts"]] == mine


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/transactions", None),
        ("POST", "/deposit", {"amount": 1, "source": "card"}),
        ("POST", "/withdraw", {"amount": 1, "destination": "bank"}),
    ],
)
@pytest.mark.parametrize(
    "which", ["foreign", "unknown", "external:USD", "acc_%00", "acc_%27--", "acc_" + "9" * 300]
)
def test_another_users_wallet_is_not_found(
    app: Flask, client: FlaskClient, method: str, path: str, body: dict[str, object] | None, which: str
) -> None:
    """Broken by: finding a wallet by its id alone."""
    owner, other_user = make_user(app), make_user(app)
    wallet = make_wallet(app, owner, balance="10.00")
    wanted = {"foreign": wallet, "unknown": ids.wallet()}.get(which, which)
    answer = client.open(f"{ACCOUNTS}/{wanted}{path}", method=method, json=body, headers=other_user.headers)
    assert answer.status_code == 404
    assert answer.json == {
        "status": "error",
        "error": {"code": "ACCOUNT_NOT_FOUND", "message": "Account not found."},
    }
    assert client.get(f"{ACCOUNTS}/{wallet}", headers=owner.headers).json["account"]["balance"] == "10.00"


@pytest.mark.parametrize("path", ["", "/acc_1", "/acc_1/transactions"])
def test_reading_needs_a_token(client: FlaskClient, path: str) -> None:
    assert code_of(client.get(f"{ACCOUNTS}{path}")) == (401, "TOKEN_MISSING")


def test_a_wallet_shows_its_balance_and_ten_latest_movements(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user)
    receipts = [_deposit(client, user.headers, wallet, amount) for amount in range(1, 13)]
    taken = client.post(
        f"{ACCOUNTS}/{wallet}/withdraw", json={"amount": "8.50", "destination": "bank"}, headers=user.headers
    ).json
    shown = client.get(f"{ACCOUNTS}/{wallet}", headers=user.headers).json
    assert shown["account"]["balance"] == shown["account"]["available_balance"] == "69.50"
    assert [row["id"] for row in shown["recent_transactions"]] == [
        receipt["transaction_id"] for receipt in reversed([*receipts[-9:], taken])
    ]
    first, second = shown["recent_transactions"][:2]
    assert (first["type"], first["amount"], first["status"]) == ("withdrawal", "8.50", "completed")
    assert (second["type"], second["amount"], second["currency"]) == ("deposit", "12.00", "USD")
    assert first["timestamp"].endswith("Z")


def test_both_sides_of_a_payment_see_it(app: Flask, client: FlaskClient, publish: Callable[[], None]) -> None:
    sender, recipient = make_user(app), make_user(app)
    source, destination = make_wallet(app, sender, balance="50.00"), make_wallet(app, recipient)
    body = {"amount": "20.00", "source_wallet_id": source, "destination": recipient.email}
    paid = client.post("/api/v1/payments", json=body, headers=sender.headers).json

    def latest(headers: dict[str, str], wallet: str) -> dict[str, Any]:
        rows: list[dict[str, Any]] = client.get(f"{ACCOUNTS}/{wallet}", headers=headers).json[
            "recent_transactions"
        ]
        return rows[0]

    sent = latest(sender.headers, source)
    assert (sent["type"], sent["amount"], sent["status"]) == ("payment_sent", "20.00", "pending")
    publish()
    sent, received = latest(sender.headers, source), latest(recipient.headers, destination)
    assert received["type"] == "payment_received"
    assert sent["payment_id"] == received["payment_id"] == paid["payment_id"]
    assert sent["id"] == received["id"]
    assert sent["status"] == received["status"] == "completed"


def test_an_address_that_looks_like_a_wallet_id_is_paid_too(app: Flask, client: FlaskClient) -> None:
    """Broken by: taking every destination that begins with `acc_` for a wallet's id."""
    sender = make_user(app)
    recipient = make_user(app, email=f"acc_{ids.opaque().hex}@example.com")
    source, destination = make_wallet(app, sender, balance="5.00"), make_wallet(app, recipient)
    body = {"amount": "5.00", "source_wallet_id": source, "destination": recipient.email}
    assert client.post("/api/v1/payments", json=body, headers=sender.headers).status_code == 201
    shown = client.get(f"{ACCOUNTS}/{destination}", headers=recipient.headers).json
    assert shown["account"]["balance"] == "5.00"


def test_history_pages_through_everything_once(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user)
    made = [_deposit(client, user.headers, wallet, amount)["transaction_id"] for amount in range(1, 8)]
    seen: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"{ACCOUNTS}/{wallet}/transactions", query_string=query, headers=user.headers).json
        seen += [row["id"] for row in page["transactions"]]
        cursor = page["next_cursor"]
        pages += 1
    assert seen == made[::-1]
    assert pages == 3


def test_a_full_last_page_has_no_cursor(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user)
    for amount in (1, 2):
        _deposit(client, user.headers, wallet, amount)
    page = client.get(f"{ACCOUNTS}/{wallet}/transactions?limit=2", headers=user.headers).json
    assert (len(page["transactions"]), page["next_cursor"]) == (2, None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=ten", "limit=-1", "cursor=nonsense", "cursor="]
)
def test_history_refuses(app: Flask, client: FlaskClient, query: str) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user)
    answer = client.get(f"{ACCOUNTS}/{wallet}/transactions?{query}", headers=user.headers)
    assert code_of(answer) == (400, "INVALID_REQUEST")


def test_a_cursor_of_another_wallet_tells_nothing(app: Flask, client: FlaskClient) -> None:
    user, other = make_user(app), make_user(app)
    mine, theirs = make_wallet(app, user), make_wallet(app, other)
    foreign = _deposit(client, other.headers, theirs, 5)["transaction_id"]
    answers = [
        client.get(f"{ACCOUNTS}/{mine}/transactions", query_string={"cursor": cursor}, headers=user.headers)
        for cursor in (foreign, "txn_" + "0" * 32)
    ]
    assert [code_of(answer) for answer in answers] == [(400, "INVALID_REQUEST")] * 2
    assert answers[0].json == answers[1].json


def test_a_balance_is_always_the_sum_of_the_history_beside_it(app: Flask, client: FlaskClient) -> None:
    """Broken by: reading balance and movements in two statements of their own snapshots."""
    user = make_user(app)
    wallet = make_wallet(app, user)

    def act(number: int) -> list[tuple[str, str]]:
        mine = app.test_client()
        if number < 2:
            for _ in range(8):
                _deposit(mine, user.headers, wallet, 1)
            return []
        shown = [mine.get(f"{ACCOUNTS}/{wallet}", headers=user.headers).json for _ in range(40)]
        return [
            (page["account"]["balance"], f"{len(page['recent_transactions'])}.00")
            for page in shown
            if len(page["recent_transactions"]) < wallets.RECENT
        ]

    for pairs in concurrently(4, act):
        assert all(balance == total for balance, total in pairs)


def _deposit(client: FlaskClient, headers: dict[str, str], wallet: str, amount: int) -> dict[str, Any]:
    body = {"amount": amount, "source": "external"}
    answer = client.post(f"{ACCOUNTS}/{wallet}/deposit", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json
    return receipt
