"""Thirty requests with one key arrive at the same moment: one of them acts.

Seen failing when wallet_pay or answer_once acts though the key is claimed, and when a claim's scope leaves out the
user or the route, or its fingerprint the body.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.faults.conftest import StackWithApp
from tests.support.factories import SignedInUser, balance_of, make_user, make_wallet
from tests.support.invariants import query
from tests.support.simultaneous_requests import Answer, Call, new_key, send_simultaneously

SIMULTANEOUS = 30


@pytest.fixture
def sender(race_stack: StackWithApp) -> SignedInUser:
    return make_user(race_stack.app)


@pytest.fixture
def source(race_stack: StackWithApp, sender: SignedInUser) -> str:
    return make_wallet(race_stack.app, sender, balance="1000")


@pytest.fixture
def target(race_stack: StackWithApp) -> str:
    return make_wallet(race_stack.app, make_user(race_stack.app))


def _ids(answers: list[Answer], name: str) -> Counter[str]:
    return Counter(answer.body[name] for answer in answers)


def test_one_payment(race_stack: StackWithApp, sender: SignedInUser, source: str, target: str) -> None:
    body = {"amount": 10, "source_wallet_id": source, "destination": target}
    call = Call("/api/v1/payments", body, sender.access_token, new_key())
    answers = send_simultaneously(race_stack.url, [call] * SIMULTANEOUS)
    assert Counter(answer.status for answer in answers) == {201: SIMULTANEOUS}
    assert len(_ids(answers, "payment_id")) == 1
    assert Counter(answer.is_replayed for answer in answers) == {True: SIMULTANEOUS - 1, False: 1}
    assert balance_of(race_stack.app, sender, source) == "990.00"


@pytest.mark.parametrize(
    ("path", "body", "balance"),
    [
        ("/api/v1/accounts/{}/deposit", {"amount": 10, "source": "card"}, "1010.00"),
        ("/api/v1/accounts/{}/withdraw", {"amount": 10, "destination": "KE00 1"}, "990.00"),
    ],
)
def test_one_deposit_or_withdrawal(
    race_stack: StackWithApp, sender: SignedInUser, source: str, path: str, body: dict[str, Any], balance: str
) -> None:
    call = Call(path.format(source), body, sender.access_token, new_key())
    answers = send_simultaneously(race_stack.url, [call] * SIMULTANEOUS)
    assert Counter(answer.status for answer in answers) == {200: SIMULTANEOUS}
    assert len(_ids(answers, "transaction_id")) == 1
    assert Counter(answer.is_replayed for answer in answers) == {True: SIMULTANEOUS - 1, False: 1}
    assert balance_of(race_stack.app, sender, source) == balance


def test_one_batch(race_stack: StackWithApp, sender: SignedInUser, source: str, target: str) -> None:
    items = [{"amount": 200, "destination": target}] * 7
    call = Call(
        "/api/v1/payments/batch",
        {"source_wallet_id": source, "payments": items},
        sender.access_token,
        new_key(),
    )
    answers = send_simultaneously(race_stack.url, [call] * 20)
    assert Counter((a.status, a.body["succeeded"], a.body["failed"]) for a in answers) == {(201, 5, 2): 20}
    assert len({str(answer.body["results"]) for answer in answers}) == 1
    assert balance_of(race_stack.app, sender, source) == "0.00"


def test_one_refusal(race_stack: StackWithApp, sender: SignedInUser, source: str, target: str) -> None:
    """Every request gets the same answer, although the wallet is funded meanwhile."""
    body = {"amount": 1500, "source_wallet_id": source, "destination": target}
    call = Call("/api/v1/payments", body, sender.access_token, new_key())
    deposit = Call(
        f"/api/v1/accounts/{source}/deposit", {"amount": 1000, "source": "card"}, sender.access_token
    )
    *answers, deposited = send_simultaneously(race_stack.url, [call] * SIMULTANEOUS + [deposit])
    assert deposited.status == 200
    outcomes = {(answer.status, answer.code) for answer in answers}
    assert len(outcomes) == 1
    paid = 1500 if outcomes == {(201, None)} else 0
    assert outcomes in ({(201, None)}, {(400, "INSUFFICIENT_BALANCE")})
    assert balance_of(race_stack.app, sender, source) == f"{2000 - paid}.00"


def test_another_body_under_the_same_key_is_refused(
    race_stack: StackWithApp, sender: SignedInUser, source: str, target: str
) -> None:
    """Two bodies, 15 of each: one body wins whole, the other is 422 whole."""
    key = new_key()
    bodies = [{"amount": amount, "source_wallet_id": source, "destination": target} for amount in (10, 20)]
    calls = [Call("/api/v1/payments", bodies[n % 2], sender.access_token, key) for n in range(SIMULTANEOUS)]
    answers = send_simultaneously(race_stack.url, calls)
    statuses = [Counter(answer.status for answer in answers[n::2]) for n in range(2)]
    assert {201: 15} in statuses
    assert {422: 15} in statuses
    winner = bodies[statuses.index(Counter({201: 15}))]["amount"]
    assert balance_of(race_stack.app, sender, source) == f"{1000 - int(str(winner))}.00"


def test_keys_of_others_routes_of_others_and_no_key_are_independent(
    race_stack: StackWithApp, sender: SignedInUser, source: str, target: str
) -> None:
    key = new_key()
    other = make_user(race_stack.app)
    others = make_wallet(race_stack.app, other, balance="1000")
    pay = {"amount": 10, "destination": target}
    cash = {"amount": 10, "source": "card"}
    mine = Call("/api/v1/payments", pay | {"source_wallet_id": source}, sender.access_token, key)
    theirs = Call("/api/v1/payments", pay | {"source_wallet_id": others}, other.access_token, key)
    route = Call(f"/api/v1/accounts/{source}/deposit", cash, sender.access_token, key)
    keyless = Call("/api/v1/payments", pay | {"source_wallet_id": source}, sender.access_token)
    answers = send_simultaneously(race_stack.url, [mine, theirs, route, keyless] * 8)
    assert {answer.status for answer in answers} == {200, 201}
    assert [len(_ids(answers[n::4], "payment_id")) for n in (0, 1, 3)] == [1, 1, 8]
    assert len(_ids(answers[2::4], "transaction_id")) == 1
    assert balance_of(race_stack.app, sender, source) == "920.00", "1000 - 10 + 10 - 8 × 10"
    assert balance_of(race_stack.app, other, others) == "990.00"


def test_a_wallet_is_opened_once(race_stack: StackWithApp, sender: SignedInUser) -> None:
    call = Call("/api/v1/accounts/wallets", {"currency": "KES"}, sender.access_token, new_key())
    answers = send_simultaneously(race_stack.url, [call] * 20)
    assert {answer.status for answer in answers} == {201}
    assert len(_ids(answers, "id")) == 1
    assert query(
        race_stack.app,
        "SELECT count(*) FROM accounts WHERE owner_id = :owner AND currency = 'KES'",
        owner=sender.user_id,
    ) == [(1,)]


def test_the_first_deposits_in_a_currency_open_one_outside_account(race_stack: StackWithApp) -> None:
    """Twenty users at once, no key between them. Breaks when the account's opening may fail the deposit."""
    users = [make_user(race_stack.app) for _ in range(20)]
    calls = [
        Call(
            f"/api/v1/accounts/{make_wallet(race_stack.app, user, currency='RWF')}/deposit",
            {"amount": 5, "source": "card"},
            user.access_token,
        )
        for user in users
    ]
    assert Counter(answer.status for answer in send_simultaneously(race_stack.url, calls)) == {200: 20}
