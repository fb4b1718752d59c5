"""Crowds over HTTP: last bytes sent together against two gunicorn workers and the relay."""

from __future__ import annotations

from collections import Counter

from tests.storms.conftest import Site
from tests.support.crowd import Call, all_at_once, new_key
from tests.support.factories import balance_of, make_user, make_wallet
from tests.support.soundness import assert_sound, query


def _payment(source: str, destination: str, amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD", "source_wallet_id": source, "destination": destination}


def test_fifty_requests_with_one_key_are_one_payment(site: Site) -> None:
    """Breaks when wallet_pay does not claim its scope, or claims it after the debit."""
    sender, recipient = make_user(site.app), make_user(site.app)
    source = make_wallet(site.app, sender, balance="100.00")
    destination = make_wallet(site.app, recipient)
    call = Call("/api/v1/payments", _payment(source, destination, "10.00"), sender.access_token, new_key())
    answers = all_at_once(site.house.url, [call] * 50)
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["payment_id"] for answer in answers}) == 1
    assert Counter(answer.is_replayed for answer in answers) == {True: 49, False: 1}
    assert balance_of(site.app, sender, source) == "90.00"
    other = Call(call.path, _payment(source, destination, "11.00"), sender.access_token, call.key)
    [refused] = all_at_once(site.house.url, [other])
    assert (refused.status, refused.code) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert_sound(site.app)


def test_the_same_key_of_another_user_is_another_key(site: Site) -> None:
    people = [make_user(site.app) for _ in range(2)]
    wallets = [make_wallet(site.app, person, balance="5.00") for person in people]
    key = new_key()
    calls = [
        Call("/api/v1/payments", _payment(wallets[i], wallets[1 - i], "1.00"), people[i].access_token, key)
        for i in range(2)
    ]
    answers = all_at_once(site.house.url, calls)
    assert [(answer.status, answer.is_replayed) for answer in answers] == [(201, False)] * 2
    assert answers[0].body["payment_id"] != answers[1].body["payment_id"]


def test_fifty_deposits_with_one_key_are_one_deposit(site: Site) -> None:
    """Breaks when answer_once acts before it claims."""
    owner = make_user(site.app)
    wallet = make_wallet(site.app, owner)
    path = f"/api/v1/accounts/{wallet}/deposit"
    body = {"amount": "7.00", "source": "external"}
    answers = all_at_once(site.house.url, [Call(path, body, owner.access_token, new_key())] * 50)
    assert {answer.status for answer in answers} <= {200, 409}
    assert len({answer.body["transaction_id"] for answer in answers if answer.status == 200}) == 1
    assert balance_of(site.app, owner, wallet) == "7.00"


def test_thirty_spends_of_one_balance_pay_exactly_what_it_covers(site: Site) -> None:
    """Breaks when neither the day's spending nor the wallet is locked: several requests see the same balance."""
    sender, recipient = make_user(site.app), make_user(site.app)
    source = make_wallet(site.app, sender, balance="100.00")
    destination = make_wallet(site.app, recipient)
    call = Call("/api/v1/payments", _payment(source, destination, "9.00"), sender.access_token)
    answers = all_at_once(site.house.url, [call] * 30)
    assert Counter(answer.status for answer in answers) == {201: 11, 400: 19}
    assert {answer.code for answer in answers if answer.status == 400} == {"INSUFFICIENT_BALANCE"}
    assert balance_of(site.app, sender, source) == "1.00"
    assert balance_of(site.app, recipient, destination) == "99.00"


def test_opposed_payments_and_rings_do_not_deadlock(site: Site) -> None:
    """Breaks (40P01) when a credit locks its account's row too, in whatever order payments name them."""
    people = [make_user(site.app) for _ in range(5)]
    wallets = [make_wallet(site.app, person, balance="50.00") for person in people]
    calls = [
        Call(
            "/api/v1/payments", _payment(wallets[i], wallets[(i + step) % 5], "1.00"), people[i].access_token
        )
        for _ in range(4)
        for i in range(5)
        for step in (1, 4)
    ]
    answers = all_at_once(site.house.url, calls)
    assert {answer.status for answer in answers} == {201}
    assert [balance_of(site.app, *pair) for pair in zip(people, wallets, strict=True)] == ["50.00"] * 5
    assert_sound(site.app)
    assert query(site.app, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [
        (0,)
    ]
