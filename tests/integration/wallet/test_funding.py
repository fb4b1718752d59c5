"""Deposits and withdrawals: posted once, never more than there is, and only for whom they are allowed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import clock, create_app, ids, ledger
from app.principal import Principal
from app.services.operator import retention
from app.services.wallets import wallets as wallet_wallets
from app.unit_of_work import reading, transaction
from tests.support import servers
from tests.support.concurrency import concurrently
from tests.support.factories import SignedInUser, balance_of, make_user, make_wallet
from tests.support.wallet_payments import pay, with_new_token

Rows = Callable[..., list[Any]]


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def deposit(
    client: FlaskClient, user: SignedInUser, wallet: str, amount: object, **more: Any
) -> TestResponse:
    key = more.pop("key", None)
    headers = user.headers | ({"Idempotency-Key": key} if key else {})
    body = {"amount": amount, "source": "bank_transfer"} | more
    return _post(client, f"/api/v1/accounts/{wallet}/deposit", body, headers)


def withdraw(
    client: FlaskClient, user: SignedInUser, wallet: str, amount: object, **more: Any
) -> TestResponse:
    key = more.pop("key", None)
    headers = user.headers | ({"Idempotency-Key": key} if key else {})
    body = {"amount": amount, "destination": "KE00 1234"} | more
    return _post(client, f"/api/v1/accounts/{wallet}/withdraw", body, headers)


def _post(client: FlaskClient, path: str, body: dict[str, Any], headers: dict[str, str]) -> TestResponse:
    # Not `json=`: the application's own encoder has no integers above 64 bits, and a client may have.
    return client.post(path, data=json.dumps(body), content_type="application/json", headers=headers)


@pytest.fixture(scope="module")
def settings(settings: dict[str, str]) -> dict[str, str]:
    """A database of these tests' own: other tests post entries that belong to nothing."""
    return settings | servers.urls_of_new_database()


@pytest.fixture(scope="module")
def app(settings: dict[str, str]) -> Flask:
    return create_app(settings)


@pytest.fixture(scope="module", autouse=True)
def the_ledger_stays_clean(app: Flask) -> Any:
    """After all of these tests: a finding names its accounts and entries."""
    yield
    with app.app_context(), reading() as session:
        assert ledger.check(session) == []


def test_deposit_answers_and_posts(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app, tier=0)
    wallet = make_wallet(app, user)
    answer = deposit(client, user, wallet, "500.00", reference="ref-1", description="Salary")
    receipt = answer.json
    assert answer.status_code == 200
    assert receipt["transaction_id"].startswith("txn_")
    assert (receipt["status"], receipt["new_balance"], receipt["amount"]) == ("completed", "500.00", "500.00")
    assert (receipt["currency"], receipt["reference"], receipt["wallet_id"]) == ("USD", "ref-1", wallet)
    assert balance_of(app, user, wallet) == "500.00"
    entry = receipt["transaction_id"].removeprefix("txn_")
    [movement] = rows(
        "SELECT kind, amount, counterparty, description FROM direct_fundings WHERE entry_id = :e", e=entry
    )
    assert movement == ("deposit", 50_000, "bank_transfer", "Salary")
    recorded = rows(
        "SELECT a.kind, p.amount FROM postings p JOIN accounts a ON a.id = p.account_id "
        "WHERE entry_id = :e ORDER BY amount",
        e=entry,
    )
    assert recorded == [("external", -50_000), ("wallet", 50_000)]
    [event] = rows(
        "SELECT type, actor, address, data FROM outbox WHERE object_id = :id", id=receipt["transaction_id"]
    )
    assert event[:3] == ("deposit.completed", user.public_id, "127.0.0.1")
    assert event.data == {
        "status": "completed",
        "amount_minor": 50_000,
        "currency": "USD",
        "wallet_id": wallet,
        "user": user.public_id,
    }


def test_withdrawal_answers_and_posts(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app, tier=1)
    wallet = make_wallet(app, user, balance="500.00")
    receipt = withdraw(client, user, wallet, 120.5).json
    assert (receipt["status"], receipt["type"]) == ("completed", "withdrawal")
    assert (receipt["amount"], receipt["new_balance"]) == ("120.50", "379.50")
    assert balance_of(app, user, wallet) == "379.50"
    [event] = rows("SELECT type, data FROM outbox WHERE object_id = :id", id=receipt["transaction_id"])
    assert event.type == "cash_withdrawal.completed"
    assert "KE00 1234" not in str(event.data)


@pytest.mark.parametrize(
    ("currency", "amount", "balance"),
    [("JPY", "1500", "1500"), ("KWD", "1.234", "1.234"), ("USD", "5.1000", "5.10")],
)
def test_amounts_follow_the_currency(
    app: Flask, client: FlaskClient, currency: str, amount: str, balance: str
) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user, currency=currency)
    assert deposit(client, user, wallet, amount).json["new_balance"] == balance


@pytest.mark.parametrize("move", [deposit, withdraw])
@pytest.mark.parametrize(
    "amount",
    [
        0,
        "0.00",
        -1,
        "-0.01",
        "0.001",
        1.005,
        "1e5",
        "NaN",
        "",
        " 1",
        "1_0",
        "１",
        True,
        None,
        [],
        {},
        10**30,
        "1,00",
    ],
)
def test_no_amount(
    app: Flask, client: FlaskClient, move: Callable[..., TestResponse], amount: object
) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user, balance="10.00")
    assert code_of(move(client, user, wallet, amount)) == (400, "INVALID_AMOUNT")
    assert balance_of(app, user, wallet) == "10.00"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"source": "cash"}, "source"),
        ({"source": None}, "source"),
        ({"reference": "x" * 256}, "reference"),
        ({"new_balance": "1.00"}, "new_balance"),
    ],
)
def test_deposit_refuses(app: Flask, client: FlaskClient, more: dict[str, object], field: str) -> None:
    user = make_user(app)
    answer = deposit(client, user, make_wallet(app, user), 1, **more)
    assert code_of(answer) == (400, "INVALID_REQUEST")
    assert answer.json["error"]["field"] == field


@pytest.mark.parametrize("destination", [None, "", "x" * 256, {"iban": "KE00"}, "two\nlines"])
def test_withdrawal_needs_a_destination(app: Flask, client: FlaskClient, destination: object) -> None:
    user = make_user(app)
    answer = withdraw(client, user, make_wallet(app, user, balance="5.00"), 1, destination=destination)
    assert code_of(answer) == (400, "INVALID_REQUEST")
    assert answer.json["error"]["field"] == "destination"


@pytest.mark.parametrize("move", [deposit, withdraw])
def test_another_currency_is_refused(
    app: Flask, client: FlaskClient, move: Callable[..., TestResponse]
) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user, balance="5.00")
    assert code_of(move(client, user, wallet, 1, currency="EUR")) == (400, "CURRENCY_MISMATCH")
    assert code_of(move(client, user, wallet, 1, currency=["USD"])) == (400, "INVALID_REQUEST")
    assert move(client, user, wallet, 1, currency="USD").status_code == 200


@pytest.mark.parametrize("move", [deposit, withdraw])
def test_one_key_moves_money_once(app: Flask, client: FlaskClient, move: Callable[..., TestResponse]) -> None:
    """Breaks when the work is done outside the claim's transaction, or a decimal string and its number are two requests."""
    user = make_user(app)
    wallet = make_wallet(app, user, balance="100.00")
    answers = concurrently(
        20, lambda n: move(app.test_client(), user, wallet, "10.00" if n % 2 else 10, key="one")
    )
    assert Counter(answer.status_code for answer in answers) == {200: 20}
    assert len({answer.text for answer in answers}) == 1
    assert sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers) == 19
    assert balance_of(app, user, wallet) == ("110.00" if move is deposit else "90.00")
    assert code_of(move(client, user, wallet, "11.00", key="one")) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_one_key_is_for_one_wallet_and_one_user(app: Flask, client: FlaskClient) -> None:
    user, other = make_user(app), make_user(app)
    first, second, theirs = make_wallet(app, user), make_wallet(app, user), make_wallet(app, other)
    assert deposit(client, user, first, 1, key="k").json["new_balance"] == "1.00"
    assert code_of(deposit(client, user, second, 1, key="k")) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert deposit(client, other, theirs, 1, key="k").json["new_balance"] == "1.00"
    assert withdraw(client, user, first, 1, key="k").json["new_balance"] == "0.00"


def test_without_a_key_each_request_counts(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user)
    assert [deposit(client, user, wallet, 1).json["new_balance"] for _ in range(2)] == ["1.00", "2.00"]


def _later(app: Flask, user: SignedInUser, hours: float) -> SignedInUser:
    """The user with a valid token, `hours` later, after the recurring job has run."""
    clock.travel(timedelta(hours=hours))
    with app.app_context():
        retention.sweep()
    return with_new_token(app, user)


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_key_moves_no_money_again_after_its_answer_is_deleted(
    app: Flask, client: FlaskClient, rows: Rows, is_swept: bool
) -> None:
    """Breaks when the sweep deletes the key's row, or a key without its answer counts as new."""
    user = make_user(app)
    wallet = make_wallet(app, user)
    assert deposit(client, user, wallet, 1, key="old").status_code == 200
    assert withdraw(client, user, wallet, 5, key="refused").status_code == 400
    user = _later(app, user, 23)
    assert deposit(client, user, wallet, 1, key="old").headers.get("Idempotent-Replayed") == "true"
    clock.travel(timedelta(hours=1.1))
    user = _later(app, user, 0) if is_swept else with_new_token(app, user)
    left = rows(
        "SELECT count(*) FROM idempotency WHERE body IS NOT NULL AND created_at < :at",
        at=clock.now() - timedelta(hours=24),
    )
    assert bool(left[0][0]) is not is_swept
    for act, amount, key in ((deposit, 1, "old"), (withdraw, 5, "refused"), (deposit, 2, "old")):
        assert code_of(act(client, user, wallet, amount, key=key)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert balance_of(app, user, wallet) == "1.00"


def test_a_request_without_a_key_leaves_no_row(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app)
    wallet, target = make_wallet(app, user), make_wallet(app, make_user(app))
    before = rows("SELECT count(*) FROM idempotency")
    assert deposit(client, user, wallet, 3).status_code == 200
    assert rows("SELECT count(*) FROM idempotency") == before
    assert pay(client, user, wallet, target, 1).status_code == 201
    keyless = "SELECT count(*) FROM idempotency WHERE fingerprint = ''"
    assert rows(keyless)[0][0] >= 1
    _later(app, user, 24.1)
    assert rows(keyless)[0][0] == 0
    assert balance_of(app, user, wallet) == "2.00"


def test_a_refusal_is_the_keys_answer_and_a_bad_amount_is_not(app: Flask, client: FlaskClient) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user, balance="1.00")
    assert code_of(withdraw(client, user, wallet, "5.00", key="refused")) == (400, "INSUFFICIENT_BALANCE")
    deposit(client, user, wallet, "10.00")
    again = withdraw(client, user, wallet, "5.00", key="refused")
    assert code_of(again) == (400, "INSUFFICIENT_BALANCE")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert code_of(withdraw(client, user, wallet, "0.001", key="mended")) == (400, "INVALID_AMOUNT")
    assert withdraw(client, user, wallet, "5.00", key="mended").status_code == 200


def test_withdrawals_at_once_never_take_more_than_there_is(app: Flask, client: FlaskClient) -> None:
    """Broken by: comparing with a balance that was read before the row was locked."""
    user = make_user(app)
    wallet = make_wallet(app, user, balance="100.00")
    answers = concurrently(30, lambda _: withdraw(app.test_client(), user, wallet, "30.00"))
    assert Counter(answer.status_code for answer in answers) == {200: 3, 400: 27}
    assert balance_of(app, user, wallet) == "10.00"


def test_the_first_movements_of_a_currency_at_once(app: Flask, rows: Rows) -> None:
    """Broken by: opening the platform's account without expecting a concurrent request."""
    currency = "RWF"
    assert rows("SELECT 1 FROM accounts WHERE public_id = :id", id=f"external:{currency}") == []
    users = [make_user(app) for _ in range(10)]
    wallets = [make_wallet(app, user, currency=currency) for user in users]
    answers = concurrently(10, lambda number: deposit(app.test_client(), users[number], wallets[number], 7))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(rows("SELECT 1 FROM accounts WHERE public_id = :id", id=f"external:{currency}")) == 1


def test_withdrawing_needs_a_verified_identity(app: Flask, client: FlaskClient) -> None:
    user = make_user(app, tier=0)
    wallet = make_wallet(app, user, balance="10.00")
    assert code_of(withdraw(client, user, wallet, 1)) == (403, "KYC_REQUIRED")
    assert code_of(withdraw(client, user, wallet, 100)) == (403, "KYC_REQUIRED")
    assert code_of(withdraw(client, user, wallet, "0.001")) == (400, "INVALID_AMOUNT")
    assert balance_of(app, user, wallet) == "10.00"


@pytest.mark.parametrize(
    ("currency", "most", "above"),
    [("USD", "10000.00", "10000.01"), ("EUR", "9259.26", "9259.27"), ("JPY", "1515152", "1515153")],
)
def test_single_maximum_of_withdrawals(
    app: Flask, client: FlaskClient, currency: str, most: str, above: str
) -> None:
    """10,000 US dollars or their equivalent by USD_RATES; deposits have no such maximum."""
    user = make_user(app, tier=3)
    wallet = make_wallet(app, user, currency=currency)
    assert deposit(client, user, wallet, "20000000").status_code == 200
    assert code_of(withdraw(client, user, wallet, above)) == (400, "INVALID_AMOUNT")
    assert withdraw(client, user, wallet, most).status_code == 200


def test_wallet_has_a_maximum_balance(app: Flask, client: FlaskClient) -> None:
    """Without one, a few thousand deposits would lift a sum out of the database's integers."""
    user = make_user(app)
    wallet = make_wallet(app, user)
    assert deposit(client, user, wallet, "99999999999.99").status_code == 200
    assert code_of(deposit(client, user, wallet, "0.02")) == (400, "INVALID_AMOUNT")
    assert deposit(client, user, wallet, "0.01").json["new_balance"] == "100000000000.00"


def test_held_money_is_not_available(app: Flask, client: FlaskClient, rows: Rows) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user, balance="100.00")
    [(account_id,)] = rows("SELECT id FROM accounts WHERE public_id = :id", id=wallet)
    with app.app_context():
        transaction(
            lambda session: ledger.hold(
                session, ids.uuid7(), account_id=account_id, amount=60_00, now=clock.now()
            )
        )
    shown = client.get(f"/api/v1/accounts/{wallet}", headers=user.headers).json["account"]
    assert (shown["balance"], shown["available_balance"]) == ("100.00", "40.00")
    assert code_of(withdraw(client, user, wallet, "40.01")) == (400, "INSUFFICIENT_BALANCE")
    receipt = withdraw(client, user, wallet, "40.00").json
    assert (receipt["new_balance"], receipt["available_balance"]) == ("60.00", "0.00")


def test_frozen_wallet_accepts_deposits_and_refuses_withdrawals(
    app: Flask, client: FlaskClient, rows: Rows
) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user, balance="10.00")
    with app.app_context():
        wallet_wallets.set_frozen(wallet, is_frozen=True, operator=Principal.of_command("olga"))
    shown = client.get(f"/api/v1/accounts/{wallet}", headers=user.headers).json["account"]
    assert shown["status"] == "frozen"
    assert code_of(withdraw(client, user, wallet, 1)) == (403, "PERMISSION_DENIED")
    assert deposit(client, user, wallet, 1).json["new_balance"] == "11.00"
    with app.app_context():
        wallet_wallets.set_frozen(wallet, is_frozen=False, operator=Principal.of_command("olga"))
    assert withdraw(client, user, wallet, 1).status_code == 200
    events = rows("SELECT type, actor FROM outbox WHERE object_id = :id ORDER BY id", id=wallet)
    assert events == [("wallet.frozen", "cli:olga"), ("wallet.thawed", "cli:olga")]


@pytest.mark.parametrize("move", [deposit, withdraw])
def test_direct_funding_is_off_in_production(
    app: Flask, settings: dict[str, str], move: Callable[..., TestResponse]
) -> None:
    user = make_user(app)
    wallet = make_wallet(app, user, balance="10.00")
    strict = create_app(settings | {"DIRECT_FUNDING": "false"})
    assert code_of(move(strict.test_client(), user, wallet, 1)) == (403, "PERMISSION_DENIED")
    assert balance_of(app, user, wallet) == "10.00"


def test_production_needs_a_setting_for_direct_funding(settings: dict[str, str]) -> None:
    documented = ("DIRECT_FUNDING", "KYC_AUTO_VERIFY_S")
    names = {name: value for name, value in settings.items() if name not in documented}
    strict = create_app(names | {"GATEWAY_ENV": "production", "REALTIME": "external"})
    assert strict.config["DIRECT_FUNDING"] is False
    assert strict.config["KYC_AUTO_VERIFY_S"] is None
