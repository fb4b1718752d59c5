"""One key, one payment: now, after a refusal, after a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import clock, create_app
from app.services.operator import retention
from tests.support.factories import SignedInUser, balance_of, make_user, make_wallet
from tests.support.wallet_payments import outcome, pay, pay_batch, with_new_token


@pytest.fixture
def sender(app: Flask) -> SignedInUser:
    return make_user(app)


@pytest.fixture
def source(app: Flask, sender: SignedInUser) -> str:
    return make_wallet(app, sender, balance="100")


@pytest.fixture
def target(app: Flask) -> str:
    return make_wallet(app, make_user(app))


def is_replayed(answer: TestResponse) -> bool:
    return answer.headers.get("Idempotent-Replayed") == "true"


def test_the_same_key_pays_once(
    app: Flask, client: FlaskClient, sender: SignedInUser, source: str, target: str
) -> None:
    first, *others = [pay(client, sender, source, target, 10, key="k") for _ in range(3)]
    assert [answer.json for answer in others] == [first.json] * 2
    assert [is_replayed(answer) for answer in (first, *others)] == [False, True, True]
    assert balance_of(app, sender, source) == "90.00"


@pytest.mark.parametrize("amount", [10, 10.0, "10", "10.00"])
def test_another_spelling_is_the_same_body(
    client: FlaskClient, sender: SignedInUser, source: str, target: str, amount: float | str
) -> None:
    """Breaks when a decimal string and its number are two fingerprints."""
    pay(client, sender, source, target, 10, key="k")
    assert is_replayed(pay(client, sender, source, target, amount, key="k"))
    pay_batch(client, sender, source, [{"amount": 1, "destination": target}], key="b")
    again = pay_batch(client, sender, source, [{"amount": "1.00", "destination": target}], key="b")
    assert is_replayed(again)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 10.01},
        {"description": "x"},
        {"metadata": {"a": 1}},
        {"currency": "USD"},
        {"destination": "a@b.co"},
    ],
)
def test_the_same_key_with_another_body_is_refused(
    app: Flask, client: FlaskClient, sender: SignedInUser, source: str, target: str, change: dict[str, object]
) -> None:
    """Breaks when a field is left out of the fingerprint."""
    pay(client, sender, source, target, 10, key="k")
    body = {"amount": 10, "source_wallet_id": source, "destination": target} | change
    headers = sender.headers | {"Idempotency-Key": "k"}
    answer = client.post("/api/v1/payments", json=body, headers=headers)
    assert outcome(answer) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert balance_of(app, sender, source) == "90.00"


def test_a_key_belongs_to_its_user_and_its_route(
    app: Flask, client: FlaskClient, sender: SignedInUser, source: str, target: str
) -> None:
    """Breaks when the scope forgets one of them."""
    other = make_user(app)
    others = make_wallet(app, other, balance="100")
    first = pay(client, sender, source, target, 10, key="k")
    second = pay(client, other, others, target, 10, key="k")
    assert second.status_code == 201
    assert not is_replayed(second)
    assert first.json["payment_id"] != second.json["payment_id"]
    batch = pay_batch(client, sender, source, [{"amount": 10, "destination": target}], key="k")
    assert batch.status_code == 201
    deposit = client.post(
        f"/api/v1/accounts/{source}/deposit",
        json={"amount": 10, "source": "card"},
        headers=sender.headers | {"Idempotency-Key": "k"},
    )
    assert deposit.status_code == 200
    assert balance_of(app, sender, source) == "90.00"


def test_a_new_session_of_the_same_user_is_the_same_caller(
    app: Flask, client: FlaskClient, sender: SignedInUser, source: str, target: str
) -> None:
    """Breaks when the scope is made of the token."""
    pay(client, sender, source, target, 10, key="k")
    assert is_replayed(pay(client, with_new_token(app, sender), source, target, 10, key="k"))


def test_without_a_key_every_request_pays(
    app: Flask, client: FlaskClient, sender: SignedInUser, source: str, target: str
) -> None:
    answers = [pay(client, sender, source, target, 10) for _ in range(3)]
    assert len({answer.json["payment_id"] for answer in answers}) == 3
    assert balance_of(app, sender, source) == "70.00"


def test_a_refusal_is_an_answer_and_is_repeated(
    app: Flask, client: FlaskClient, sender: SignedInUser, source: str, target: str
) -> None:
    """Breaks when a refusal leaves the key free: the retry would make a payment that was already answered as failed."""
    first = pay(client, sender, source, target, 150, key="k")
    client.post(
        f"/api/v1/accounts/{source}/deposit", json={"amount": 100, "source": "card"}, headers=sender.headers
    )
    again = pay(client, sender, source, target, 150, key="k")
    assert outcome(first) == outcome(again) == (400, "INSUFFICIENT_BALANCE")
    assert is_replayed(again)
    assert first.json == again.json
    assert balance_of(app, sender, source) == "200.00"
    assert outcome(pay(client, sender, source, target, 150, key="k2")) == (201, "pending")


def test_what_is_no_request_uses_no_key_up(
    client: FlaskClient, sender: SignedInUser, source: str, target: str
) -> None:
    assert outcome(pay(client, sender, source, target, "x", key="k"))[0] == 400
    assert outcome(pay(client, sender, "acc_0123456789abcdef01234567", target, 1, key="k"))[0] == 404
    answer = pay(client, sender, source, target, 1, key="k")
    assert outcome(answer) == (201, "pending")
    assert not is_replayed(answer)


def test_after_a_day_the_key_shows_the_payment_as_it_is(
    app: Flask,
    client: FlaskClient,
    sender: SignedInUser,
    source: str,
    target: str,
    publish: Callable[[], None],
) -> None:
    """The row outlives its answer: an old key never posts again."""
    first = pay(client, sender, source, target, 10, key="k")
    batch = pay_batch(client, sender, source, [{"amount": 5, "destination": target}] * 2, key="b")
    publish()
    assert pay(client, sender, source, target, 10, key="k").json["status"] == "pending", "as first answered"
    clock.travel(timedelta(hours=24, seconds=1))
    with app.app_context():
        retention.sweep()
    sender = with_new_token(app, sender)
    late = pay(client, sender, source, target, 10, key="k")
    assert (late.json["payment_id"], late.json["status"]) == (first.json["payment_id"], "completed")
    late_batch = pay_batch(client, sender, source, [{"amount": 5, "destination": target}] * 2, key="b")
    assert [item["status"] for item in late_batch.json["results"]] == ["completed"] * 2
    assert [item["payment_id"] for item in late_batch.json["results"]] == [
        item["payment_id"] for item in batch.json["results"]
    ]
    assert balance_of(app, sender, source) == "80.00"


@pytest.mark.parametrize("key", ["", "a" * 256, "a\tb", "schlüssel"])
def test_an_unusable_key_is_refused(
    app: Flask, client: FlaskClient, sender: SignedInUser, source: str, target: str, key: str
) -> None:
    """Never paid without the protection that was asked for."""
    body = {"amount": 1, "source_wallet_id": source, "destination": target}
    headers = [*sender.headers.items(), ("Idempotency-Key", key)]
    answer = client.post("/api/v1/payments", json=body, headers=headers)
    assert answer.status_code == 400
    assert balance_of(app, sender, source) == "100.00"


@pytest.mark.parametrize("then, today", [("0.01", "200"), ("200", "0.01")])
def test_replay_ignores_later_exchange_rates(settings: dict[str, str], then: str, today: str) -> None:
    """Breaks when today's single maximum is asked before the key is looked up."""
    before, after = (create_app(settings | {"USD_RATES": f'{{"KES":"{rate}"}}'}) for rate in (then, today))
    sender = make_user(before, tier=3)
    source = make_wallet(before, sender, currency="KES", balance="1000")
    target = make_wallet(before, make_user(before), currency="KES")
    items = [{"amount": amount, "destination": target} for amount in (60, 1, 70)]
    client, later = before.test_client(), after.test_client()
    single = pay(client, sender, source, target, 60, key="k")
    batch = pay_batch(client, sender, source, items, key="b")
    again = pay(later, sender, source, target, 60, key="k")
    if single.status_code == 201:
        assert again.json == single.json
        assert is_replayed(again)
    batch_again = pay_batch(later, sender, source, items, key="b")
    assert batch_again.status_code == 201
    payment_ids = [[item["payment_id"] for item in answer.json["results"]] for answer in (batch, batch_again)]
    assert payment_ids[0] == payment_ids[1]
    assert balance_of(before, sender, source) == ("809.00" if single.status_code == 201 else "939.00")
