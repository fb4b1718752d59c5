"""Thirty spends of one balance, credits arriving meanwhile, money going in circles: never a cent too much.

Seen failing when debit_lock reads the row without locking it, when the day's sum is read unlocked, and when a
disabled user's session still pays.
"""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from sqlalchemy import update

from app.models import User
from app.unit_of_work import transaction
from tests.faults.conftest import StackWithApp
from tests.support.factories import SignedInUser, balance_of, make_user, make_wallet
from tests.support.invariants import total
from tests.support.simultaneous_requests import Call, send_simultaneously

SIMULTANEOUS = 30


@pytest.fixture
def sender(race_stack: StackWithApp) -> SignedInUser:
    return make_user(race_stack.app, tier=3)


def _pay(user: SignedInUser, source: str, target: str, amount: int) -> Call:
    body = {"amount": amount, "source_wallet_id": source, "destination": target}
    return Call("/api/v1/payments", body, user.access_token)


def test_simultaneous_payments_spend_at_most_the_balance(
    race_stack: StackWithApp, sender: SignedInUser
) -> None:
    source, target = (
        make_wallet(race_stack.app, sender, balance="100"),
        make_wallet(race_stack.app, make_user(race_stack.app)),
    )
    answers = send_simultaneously(race_stack.url, [_pay(sender, source, target, 10)] * SIMULTANEOUS)
    assert Counter(answer.code for answer in answers) == {None: 10, "INSUFFICIENT_BALANCE": 20}
    assert balance_of(race_stack.app, sender, source) == "0.00"


def test_payments_withdrawals_and_batches_share_one_balance(
    race_stack: StackWithApp, sender: SignedInUser
) -> None:
    source, target = (
        make_wallet(race_stack.app, sender, balance="100"),
        make_wallet(race_stack.app, make_user(race_stack.app)),
    )
    withdrawal = Call(
        f"/api/v1/accounts/{source}/withdraw", {"amount": 10, "destination": "KE00"}, sender.access_token
    )
    batch = Call(
        "/api/v1/payments/batch",
        {"source_wallet_id": source, "payments": [{"amount": 5, "destination": target}] * 2},
        sender.access_token,
    )
    answers = send_simultaneously(race_stack.url, [_pay(sender, source, target, 10), withdrawal, batch] * 10)
    moved = sum(
        5 * answer.body["succeeded"] if "succeeded" in answer.body else 10 * (answer.status < 400)
        for answer in answers
    )
    assert moved == 100
    assert balance_of(race_stack.app, sender, source) == "0.00"


def test_credits_that_arrive_meanwhile_are_spent_once(race_stack: StackWithApp, sender: SignedInUser) -> None:
    """Ten spends are covered by the row, ten by credits that wait in its queue while the relay folds them."""
    source, target = (
        make_wallet(race_stack.app, sender, balance="100"),
        make_wallet(race_stack.app, make_user(race_stack.app)),
    )
    friend = make_user(race_stack.app, tier=3)
    purse = make_wallet(race_stack.app, friend, balance="100")
    spends = [_pay(sender, source, target, 10)] * SIMULTANEOUS
    answers = send_simultaneously(
        race_stack.url, [*spends[:15], *[_pay(friend, purse, source, 5)] * 20, *spends[15:]]
    )
    assert Counter(answer.code for answer in answers[15:35]) == {None: 20}
    paid = sum(answer.status == 201 for answer in answers[:15] + answers[35:])
    assert 10 <= paid <= 20
    assert balance_of(race_stack.app, sender, source) == f"{200 - 10 * paid}.00"
    left = send_simultaneously(race_stack.url, [_pay(sender, source, target, 10)] * SIMULTANEOUS)
    assert sum(answer.status == 201 for answer in left) == 20 - paid
    assert balance_of(race_stack.app, sender, source) == "0.00"


def test_one_days_limit_is_used_up_once_over_all_wallets(race_stack: StackWithApp) -> None:
    """Thirty payments from three wallets of a tier 0 user. Breaks when the day's sum is read without its lock."""
    user = make_user(race_stack.app, tier=0)
    target = make_wallet(race_stack.app, make_user(race_stack.app))
    wallets = [make_wallet(race_stack.app, user, balance="1000") for _ in range(3)]
    answers = send_simultaneously(
        race_stack.url, [_pay(user, wallets[n % 3], target, 10) for n in range(SIMULTANEOUS)]
    )
    assert Counter(answer.code for answer in answers) == {None: 10, "DAILY_LIMIT_EXCEEDED": 20}


@pytest.mark.parametrize("size", [2, 5])
def test_opposing_and_circular_transfers_do_not_deadlock(race_stack: StackWithApp, size: int) -> None:
    """Every user pays the next one at the same moment, in both directions, repeatedly: no deadlock, no lost money."""
    users = [make_user(race_stack.app, tier=3) for _ in range(size)]
    wallets = [make_wallet(race_stack.app, user, balance="20") for user in users]
    before = total(race_stack.app)["USD"]
    around = [
        _pay(users[n], wallets[n], wallets[(n + step) % size], 7)
        for n in range(size)
        for step in (1, size - 1)
    ]
    refused: Counter[str | None] = Counter()
    for _ in range(3):
        answers = send_simultaneously(race_stack.url, (around * 20)[:40])
        refused.update(answer.code for answer in answers)
    assert set(refused) <= {None, "INSUFFICIENT_BALANCE"}
    assert refused[None] > 20
    assert total(race_stack.app)["USD"] == before


def test_reader_sees_a_constant_sum_during_transfers(race_stack: StackWithApp) -> None:
    """All balances read in one statement are always the same sum. Breaks when a credit is visible before its debit."""
    users = [make_user(race_stack.app, tier=3) for _ in range(4)]
    wallets = [make_wallet(race_stack.app, user, balance="50") for user in users]
    before, seen, stop = total(race_stack.app)["USD"], set[int](), threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(total(race_stack.app)["USD"])

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    ring = [_pay(users[n], wallets[n], wallets[(n + 1) % 4], 3) for n in range(4)]
    for _ in range(2):
        send_simultaneously(race_stack.url, ring * 10)
    stop.set()
    reader.join(30)
    assert seen == {before}


def test_a_disabled_user_stops_paying_at_once(race_stack: StackWithApp, sender: SignedInUser) -> None:
    """No answer of 201 after the moment the user was disabled. Breaks when the session is cached in the web process."""
    source, target = (
        make_wallet(race_stack.app, sender, balance="100"),
        make_wallet(race_stack.app, make_user(race_stack.app)),
    )
    assert send_simultaneously(race_stack.url, [_pay(sender, source, target, 1)])[0].status == 201
    with race_stack.app.app_context():
        transaction(
            lambda session: session.execute(
                update(User).where(User.id == sender.user_id).values(is_active=False)
            )
        )
    answers = send_simultaneously(race_stack.url, [_pay(sender, source, target, 1)] * 10)
    assert {(answer.status, answer.code) for answer in answers} == {(401, "TOKEN_INVALID")}
