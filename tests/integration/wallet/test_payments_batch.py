"""Batches: each item for itself, in order, in one transaction, once for a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from tests.support.factories import SignedInUser, balance_of, make_user, make_wallet
from tests.support.wallet_payments import outcomes, pay_batch

Rows = Callable[..., list[Any]]


@pytest.fixture
def sender(app: Flask) -> SignedInUser:
    return make_user(app)


@pytest.fixture
def users(app: Flask) -> list[tuple[SignedInUser, str]]:
    made = [make_user(app) for _ in range(3)]
    return [(user, make_wallet(app, user)) for user in made]


def _items(users: list[tuple[SignedInUser, str]], *amounts: object) -> list[dict[str, Any]]:
    return [
        {"destination": users[n % len(users)][0].email, "amount": amount, "description": f"Payment {n}"}
        for n, amount in enumerate(amounts)
    ]


def test_every_item_is_paid_in_order(
    app: Flask, client: FlaskClient, sender: SignedInUser, users: list[tuple[SignedInUser, str]]
) -> None:
    source = make_wallet(app, sender, balance="225")
    answer = pay_batch(client, sender, source, _items(users, 50.00, 75.00, 100.00))
    assert answer.status_code == 201
    body = answer.json
    assert (body["total"], body["succeeded"], body["failed"]) == (3, 3, 0)
    assert [item["amount"] for item in body["results"]] == ["50.00", "75.00", "100.00"]
    assert [item["index"] for item in body["results"]] == [0, 1, 2]
    assert [item["destination"] for item in body["results"]] == [user.email for user, _ in users]
    assert [balance_of(app, user, wallet) for user, wallet in users] == ["50.00", "75.00", "100.00"]
    assert balance_of(app, sender, source) == "0.00"


def test_an_unaffordable_item_fails_and_a_smaller_one_after_it_passes(
    app: Flask, client: FlaskClient, sender: SignedInUser, users: list[tuple[SignedInUser, str]]
) -> None:
    """Breaks when the batch stops at, or fails with, its first refusal."""
    source = make_wallet(app, sender, balance="100")
    answer = pay_batch(client, sender, source, _items(users, 60, 50, 40, "0.01"))
    assert outcomes(answer) == ["pending", "INSUFFICIENT_BALANCE", "pending", "INSUFFICIENT_BALANCE"]
    assert balance_of(app, sender, source) == "0.00"


def test_every_item_is_refused_for_its_own_reason(
    app: Flask, client: FlaskClient, sender: SignedInUser, users: list[tuple[SignedInUser, str]]
) -> None:
    source = make_wallet(app, sender, balance="100")
    items = [
        *_items(users, 0, "0.001", 10001, 5),
        {"destination": "nobody@example.com", "amount": 5},
        {"destination": source, "amount": 5},
        {"destination": users[0][1], "amount": 5, "currency": "EUR"},
        {"destination": users[0][1], "amount": 5, "currency": "XXX"},
        *_items(users, 95, 1),
    ]
    assert outcomes(pay_batch(client, sender, source, items)) == [
        "INVALID_AMOUNT",
        "INVALID_AMOUNT",
        "INVALID_AMOUNT",
        "pending",
        "RECIPIENT_NOT_FOUND",
        "INVALID_REQUEST",
        "CURRENCY_MISMATCH",
        "UNSUPPORTED_CURRENCY",
        "pending",
        "INSUFFICIENT_BALANCE",
    ]


def test_who_cannot_pay_learns_nothing_about_recipients(
    app: Flask, client: FlaskClient, sender: SignedInUser, users: list[tuple[SignedInUser, str]]
) -> None:
    """Breaks when a destination is looked up before the balance is judged."""
    unknown = {"destination": "nobody@example.com", "amount": 1}
    known = _items(users, 1)[0]
    empty = make_wallet(app, sender)
    assert outcomes(pay_batch(client, sender, empty, [unknown, known])) == ["INSUFFICIENT_BALANCE"] * 2
    body = {"amount": 1, "source_wallet_id": empty, "destination": "nobody@example.com"}
    single = client.post("/api/v1/payments", json=body, headers=sender.headers)
    assert single.json["error"]["code"] == "INSUFFICIENT_BALANCE"


def test_items_count_against_a_limit(settings: dict[str, str], app: Flask, sender: SignedInUser) -> None:
    client = create_app({**settings, "RATE_LIMIT_BATCH_ITEMS": "10/minute"}).test_client()
    source = make_wallet(app, sender)
    item = {"destination": "nobody@example.com", "amount": 1}
    answers = [pay_batch(client, sender, source, [item] * count) for count in (6, 4, 1)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].json["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60


def test_limits_count_item_by_item(
    app: Flask, client: FlaskClient, users: list[tuple[SignedInUser, str]]
) -> None:
    """Breaks when the day's sum is read once for the batch."""
    sender = make_user(app, tier=0)
    source = make_wallet(app, sender, balance="1000")
    items = _items(users, 70, 101, 40, 30, 1)
    assert outcomes(pay_batch(client, sender, source, items)) == [
        "pending",
        "KYC_REQUIRED",
        "DAILY_LIMIT_EXCEEDED",
        "pending",
        "DAILY_LIMIT_EXCEEDED",
    ]
    assert outcomes(pay_batch(client, sender, source, _items(users, 1))) == ["DAILY_LIMIT_EXCEEDED"]


def test_a_batch_in_which_nothing_can_be_paid_changes_nothing(
    app: Flask, client: FlaskClient, sender: SignedInUser, users: list[tuple[SignedInUser, str]], rows: Rows
) -> None:
    source = make_wallet(app, sender, balance="10")
    before = rows("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM outbox)")
    assert outcomes(pay_batch(client, sender, source, _items(users, 11, 12))) == ["INSUFFICIENT_BALANCE"] * 2
    assert outcomes(pay_batch(client, sender, source, _items(users, 0, -1))) == ["INVALID_AMOUNT"] * 2
    assert rows("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM outbox)") == before


def test_a_thousand_items(
    app: Flask,
    client: FlaskClient,
    sender: SignedInUser,
    users: list[tuple[SignedInUser, str]],
    publish: Callable[[], None],
    rows: Rows,
) -> None:
    """One key, one transaction, a thousand payments, two thousand events. 1,001 are refused whole."""
    source = make_wallet(app, sender, balance="1000")
    answer = pay_batch(client, sender, source, _items(users, *([1] * 1000)), key="salaries")
    assert answer.json["succeeded"] == 1000
    ids = [item["payment_id"] for item in answer.json["results"]]
    assert len(set(ids)) == 1000
    assert balance_of(app, sender, source) == "0.00"
    publish()
    assert rows(
        "SELECT type, count(*) FROM events WHERE object_id = ANY (:ids) GROUP BY type ORDER BY type", ids=ids
    ) == [("wallet_payment.completed", 1000), ("wallet_payment.pending", 1000)]
    replay = pay_batch(client, sender, source, _items(users, *([1] * 1000)), key="salaries")
    assert [item["payment_id"] for item in replay.json["results"]] == ids
    refused = pay_batch(client, sender, source, _items(users, *([1] * 1001)))
    assert (refused.status_code, refused.json["error"]["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "payments", [[], "x", {}, None, [1], [{}], [{"amount": 1}], [{"destination": "a@b.c"}]]
)
def test_no_batch(app: Flask, client: FlaskClient, sender: SignedInUser, payments: Any) -> None:
    source = make_wallet(app, sender, balance="10")
    answer = pay_batch(client, sender, source, payments)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "INVALID_REQUEST")


def test_a_repeated_batch_tells_the_first_answer(
    app: Flask, client: FlaskClient, sender: SignedInUser, users: list[tuple[SignedInUser, str]]
) -> None:
    """Refused items stay refused though there is money now. Breaks when only accepted items are remembered."""
    source = make_wallet(app, sender, balance="100")
    items = _items(users, 60, 50, 0, 40)
    first = pay_batch(client, sender, source, items, key="week 1")
    client.post(
        f"/api/v1/accounts/{source}/deposit", json={"amount": 500, "source": "card"}, headers=sender.headers
    )
    again = pay_batch(client, sender, source, items, key="week 1")
    assert outcomes(first) == ["pending", "INSUFFICIENT_BALANCE", "INVALID_AMOUNT", "pending"]
    assert again.json == first.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert balance_of(app, sender, source) == "500.00"


def test_a_key_is_for_one_batch(
    app: Flask, client: FlaskClient, sender: SignedInUser, users: list[tuple[SignedInUser, str]]
) -> None:
    source = make_wallet(app, sender, balance="100")
    pay_batch(client, sender, source, _items(users, 1, 2), key="k")
    for items in (_items(users, 2, 1), _items(users, 1), _items(users, 1, 2, 3)):
        answer = pay_batch(client, sender, source, items, key="k")
        assert (answer.status_code, answer.json["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
