"""Wallet payments over HTTP: what is paid, what is refused and with which word, and in which order that is decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import ids
from tests.support.factories import SignedInUser, balance_of, make_user, make_wallet
from tests.support.wallet_payments import outcome, pay


@dataclass(frozen=True)
class Pair:
    """A sender with 1,000.00 USD in `source`, and a recipient with an empty wallet."""

    sender: SignedInUser
    source: str
    recipient: SignedInUser
    wallet: str


@pytest.fixture
def pair(app: Flask) -> Pair:
    sender, recipient = make_user(app), make_user(app)
    return Pair(sender, make_wallet(app, sender, balance="1000"), recipient, make_wallet(app, recipient))


def test_a_payment_answers_as_documented_and_moves_the_money(
    app: Flask, client: FlaskClient, pair: Pair
) -> None:
    answer = pay(
        client,
        pair.sender,
        pair.source,
        pair.recipient.email,
        100.0,
        currency="USD",
        description="Dinner payment",
        metadata={"occasion": "birthday_dinner", "participants": 4},
    )
    body = answer.json
    assert answer.status_code == 201
    assert body["payment_id"].startswith("pmt_")
    assert body["id"] == body["payment_id"]
    assert (body["status"], body["amount"], body["currency"]) == ("pending", "100.00", "USD")
    assert body["data"] == {name: value for name, value in body.items() if name != "data"}
    assert body["created_at"].endswith("Z")
    assert balance_of(app, pair.sender, pair.source) == "900.00"
    assert balance_of(app, pair.recipient, pair.wallet) == "100.00"


def test_a_payment_is_completed_when_it_is_published(
    client: FlaskClient, pair: Pair, publish: Callable[[], None]
) -> None:
    payment_id = pay(client, pair.sender, pair.source, pair.wallet, "10.50").json["payment_id"]
    path = f"/api/v1/payments/{payment_id}"
    before = client.get(path, headers=pair.sender.headers).json
    publish()
    after = client.get(path, headers=pair.sender.headers).json
    assert (before["status"], before["completed_at"]) == ("pending", None)
    assert after["status"] == "completed"
    assert after["completed_at"].endswith("Z")
    assert after["transaction_id"].startswith("txn_")
    assert after["failure_reason"] is None
    assert after == client.get(path, headers=pair.recipient.headers).json


def test_description_and_metadata_are_returned(client: FlaskClient, pair: Pair) -> None:
    metadata = {"n": 12345678901234567, "x": 0.1, "deep": [{"a": None, "b": True}], "ключ": "значение"}
    body = {"description": "Ужин 🍲", "metadata": metadata}
    payment_id = pay(client, pair.sender, pair.source, pair.wallet, 1, **body).json["payment_id"]
    body = client.get(f"/api/v1/payments/{payment_id}", headers=pair.sender.headers).json
    assert (body["description"], body["metadata"]) == ("Ужин 🍲", metadata)


@pytest.mark.parametrize("amount", [100, 100.0, "100", "100.00", "100.000"])
def test_spellings_of_an_amount(client: FlaskClient, pair: Pair, amount: object) -> None:
    assert pay(client, pair.sender, pair.source, pair.wallet, amount).json["amount"] == "100.00"


@pytest.mark.parametrize(
    "amount",
    [
        0,
        -1,
        "0",
        "-5",
        0.001,
        "1.001",
        True,
        False,
        None,
        "",
        "abc",
        "1e3",
        "1_0",
        "１０",
        [],
        {},
        [5],
        "NaN",
        "Infinity",
        10**15,
        1e15,
        "100,00",
        " 5",
        "5 ",
    ],
)
def test_no_amount(app: Flask, client: FlaskClient, pair: Pair, amount: object) -> None:
    answer = pay(client, pair.sender, pair.source, pair.wallet, amount)
    assert outcome(answer) == (400, "INVALID_AMOUNT")
    assert answer.json["error"]["field"] == "amount"
    assert balance_of(app, pair.sender, pair.source) == "1000.00"


@pytest.mark.parametrize(
    "amount", ["1" + "0" * 30, "-1" + "0" * 30, "1e400", "1E-400", "9" * 60, "18446744073709551616"]
)
def test_a_number_beyond_any_machine_word_is_no_amount(client: FlaskClient, pair: Pair, amount: str) -> None:
    """Written as JSON numbers. Breaks when one reaches an encoder or a column that has 64 bits: a 500."""
    body = f'{{"amount": {amount}, "source_wallet_id": "{pair.source}", "destination": "{pair.wallet}"}}'
    headers = pair.sender.headers | {"Idempotency-Key": "big"}
    answer = client.post("/api/v1/payments", data=body, content_type="application/json", headers=headers)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] in ("INVALID_AMOUNT", "INVALID_REQUEST")


@pytest.mark.parametrize("currency", ["XXX", "", "US", "BTC", [], {}, 5, True, False, 0])
def test_no_currency(client: FlaskClient, pair: Pair, currency: object) -> None:
    """What is sent as a currency is one or is refused; only its absence means the wallet's own."""
    status, code = outcome(pay(client, pair.sender, pair.source, pair.wallet, 1, currency=currency))
    assert (status, code) in [(400, "UNSUPPORTED_CURRENCY"), (400, "INVALID_REQUEST")]


def test_without_a_currency_it_is_the_wallets(app: Flask, client: FlaskClient, pair: Pair) -> None:
    yen, other = make_wallet(app, pair.sender, balance="5000", currency="JPY"), make_user(app)
    target = make_wallet(app, other, currency="JPY")
    answer = pay(client, pair.sender, yen, other.email, 500)
    assert (answer.json["amount"], answer.json["currency"]) == ("500", "JPY")
    assert outcome(pay(client, pair.sender, yen, other.email, "0.5")) == (400, "INVALID_AMOUNT")
    assert balance_of(app, other, target) == "500"


def test_three_decimals(app: Flask, client: FlaskClient, pair: Pair) -> None:
    dinar = make_wallet(app, pair.sender, balance="10", currency="KWD")
    other = make_user(app)
    target = make_wallet(app, other, currency="KWD")
    assert pay(client, pair.sender, dinar, target, "1.234").json["amount"] == "1.234"
    assert balance_of(app, pair.sender, dinar) == "8.766"


def test_another_currency_than_the_wallets_is_a_mismatch(client: FlaskClient, pair: Pair) -> None:
    answer = pay(client, pair.sender, pair.source, pair.wallet, 1, currency="EUR")
    assert outcome(answer) == (400, "CURRENCY_MISMATCH")


@pytest.mark.parametrize(
    ("wallets", "expected"),
    [
        ([], (404, "RECIPIENT_NOT_FOUND")),
        (["EUR"], (400, "CURRENCY_MISMATCH")),
        (["EUR", "USD"], (201, "pending")),
    ],
)
def test_an_address_means_a_wallet_in_the_currency(
    app: Flask, client: FlaskClient, pair: Pair, wallets: list[str], expected: tuple[int, str]
) -> None:
    user = make_user(app)
    for currency in wallets:
        make_wallet(app, user, currency=currency)
    assert outcome(pay(client, pair.sender, pair.source, user.email, 1)) == expected


def test_an_address_means_the_oldest_wallet_that_is_not_frozen(
    app: Flask, client: FlaskClient, pair: Pair
) -> None:
    user = make_user(app)
    make_wallet(app, user, is_frozen=True)
    oldest, newer = make_wallet(app, user), make_wallet(app, user)
    pay(client, pair.sender, pair.source, user.email.upper(), 5)
    assert (balance_of(app, user, oldest), balance_of(app, user, newer)) == ("5.00", "0.00")


def test_an_address_may_begin_as_a_wallet_id_does(app: Flask, client: FlaskClient, pair: Pair) -> None:
    """Breaks when everything that starts with acc_ is looked up as a wallet."""
    user = make_user(app, email=f"acc_{ids.opaque().hex}@example.com")
    wallet = make_wallet(app, user)
    assert outcome(pay(client, pair.sender, pair.source, user.email, 5)) == (201, "pending")
    assert balance_of(app, user, wallet) == "5.00"


@pytest.mark.parametrize(
    "destination",
    [
        "nobody@example.com",
        "acc_0123456789abcdef01234567",
        "acc_",
        "external:USD",
        "%",
        "acc_%",
        "' OR 1=1 --",
        "bob",
    ],
)
def test_unknown_recipient_is_refused(client: FlaskClient, pair: Pair, destination: str) -> None:
    answer = pay(client, pair.sender, pair.source, destination, 1)
    assert outcome(answer) == (404, "RECIPIENT_NOT_FOUND")


def test_a_frozen_wallet_takes_money_by_its_id(app: Flask, client: FlaskClient, pair: Pair) -> None:
    frozen = make_wallet(app, pair.recipient, is_frozen=True)
    assert outcome(pay(client, pair.sender, pair.source, frozen, 1)) == (201, "pending")


def test_a_frozen_wallet_pays_nothing(app: Flask, client: FlaskClient, pair: Pair) -> None:
    frozen = make_wallet(app, pair.sender, balance="10", is_frozen=True)
    assert outcome(pay(client, pair.sender, frozen, pair.wallet, 1)) == (403, "PERMISSION_DENIED")
    assert balance_of(app, pair.sender, frozen) == "10.00"


def test_a_wallet_does_not_pay_itself(client: FlaskClient, pair: Pair) -> None:
    for destination in (pair.source, pair.sender.email):
        answer = pay(client, pair.sender, pair.source, destination, 1)
        assert outcome(answer) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "source", ["acc_0123456789abcdef01234567", "acc_", "external:USD", "x", "' OR 1=1 --"]
)
def test_an_unknown_source(client: FlaskClient, pair: Pair, source: str) -> None:
    for more in ({}, {"currency": "USD"}):
        answer = pay(client, pair.sender, source, pair.wallet, 1, **more)
        assert outcome(answer) == (404, "ACCOUNT_NOT_FOUND")


def test_another_users_wallet_as_source_is_not_found(client: FlaskClient, pair: Pair) -> None:
    """Breaks when the source is looked up without its owner."""
    for more in ({}, {"currency": "USD"}):
        foreign = pay(client, pair.recipient, pair.source, pair.wallet, 1, **more)
        unknown = pay(client, pair.recipient, "acc_0123456789abcdef01234567", pair.wallet, 1, **more)
        assert (foreign.status_code, foreign.json) == (unknown.status_code, unknown.json)
        assert outcome(foreign) == (404, "ACCOUNT_NOT_FOUND")


def test_a_payment_is_seen_by_its_two_sides_only(client: FlaskClient, app: Flask, pair: Pair) -> None:
    """Another user's payment is answered like an unknown one."""
    payment_id = pay(client, pair.sender, pair.source, pair.wallet, 1).json["payment_id"]
    other_user = make_user(app).headers
    foreign = client.get(f"/api/v1/payments/{payment_id}", headers=other_user)
    unknown = client.get(f"/api/v1/payments/{ids.public(ids.PAYMENT, ids.uuid7())}", headers=other_user)
    assert (foreign.status_code, foreign.json) == (unknown.status_code, unknown.json)
    assert outcome(foreign) == (404, "PAYMENT_NOT_FOUND")
    for user in (pair.sender, pair.recipient):
        assert client.get(f"/api/v1/payments/{payment_id}", headers=user.headers).status_code == 200


def test_a_refusal_creates_nothing(client: FlaskClient, pair: Pair, rows: Callable[..., list[Any]]) -> None:
    """Breaks when the outbox row or the payment is written before everything is decided."""
    before = rows("SELECT (SELECT count(*) FROM wallet_payments), (SELECT count(*) FROM outbox)")
    assert outcome(pay(client, pair.sender, pair.source, pair.wallet, "1000.01")) == (
        400,
        "INSUFFICIENT_BALANCE",
    )
    assert outcome(pay(client, pair.sender, pair.source, "nobody@example.com", 1))[0] == 404
    assert rows("SELECT (SELECT count(*) FROM wallet_payments), (SELECT count(*) FROM outbox)") == before


def test_ended_session_cannot_pay(client: FlaskClient, app: Flask, pair: Pair) -> None:
    """The paying statement itself checks the session. Breaks when only the token is read."""
    client.post("/api/v1/auth/logout", headers=pair.sender.headers)
    assert outcome(pay(client, pair.sender, pair.source, pair.wallet, 1)) == (401, "TOKEN_INVALID")
    assert outcome(pay(client, pair.sender, pair.source, pair.wallet, 1, currency="USD"))[0] == 401
    assert balance_of(app, pair.sender, pair.source) == "1000.00"


def test_the_list_has_both_sides_newest_first(client: FlaskClient, app: Flask, pair: Pair) -> None:
    sent = [pay(client, pair.sender, pair.source, pair.wallet, n).json["payment_id"] for n in (1, 2, 3)]
    back = pay(client, pair.recipient, pair.wallet, pair.source, 1).json["payment_id"]
    for user in (pair.sender, pair.recipient):
        body = client.get("/api/v1/payments?per_page=2", headers=user.headers).json
        assert body["success"] is True
        assert [item["payment_id"] for item in body["data"]["items"]] == [back, sent[2]]
        assert body["data"]["pagination"]["total"] == 4
        rest = client.get("/api/v1/payments?limit=2&offset=2", headers=user.headers).json["data"]["items"]
        assert [item["payment_id"] for item in rest] == [sent[1], sent[0]]
    nobodys = client.get("/api/v1/payments", headers=make_user(app).headers).json["data"]
    assert (nobodys["items"], nobodys["pagination"]["total"]) == ([], 0)
    past = client.get("/api/v1/payments?page=9", headers=pair.sender.headers).json["data"]
    assert past["items"] == []
    assert client.get("/api/v1/payments?per_page=x", headers=pair.sender.headers).status_code == 400
