"""Posting: what `ledger_post` accepts, refuses, and posts at most once."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg2
import pytest

from tests.support import ledger_sql as ledger
from tests.support.database import one, run


def test_a_credit_waits_and_a_debit_lowers_the_row(db_connection: Any) -> None:
    """Breaks when a credit also updates the row (hot recipients would queue), or a debit also waits."""
    payer, payee = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    ledger.fund(db_connection, payer, 100)
    assert ledger.post(db_connection, {payer: -30, payee: 30}) == "posted"
    rows = dict(run(db_connection, "SELECT id, balance FROM accounts WHERE id IN (%s, %s)", payer, payee))
    assert rows == {payer: 70, payee: 0}
    assert run(db_connection, "SELECT amount FROM unfolded WHERE account_id = %s", payee) == [(30,)]
    assert (ledger.balance(db_connection, payer), ledger.balance(db_connection, payee)) == (70, 30)


def test_what_was_received_can_be_spent_before_it_is_folded(db_connection: Any) -> None:
    """Breaks when a short row is refused without folding."""
    payer, payee = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    for _ in range(3):
        ledger.fund(db_connection, payer, 10)
    assert ledger.post(db_connection, {payer: -30, payee: 30}) == "posted"
    assert ledger.balance(db_connection, payer) == 0


def test_reference_is_posted_once_per_kind(db_connection: Any) -> None:
    """Breaks without UNIQUE (ref_id, kind)."""
    payer, payee = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    ledger.fund(db_connection, payer, 100)
    ref = uuid.uuid4()
    outcomes = [ledger.post(db_connection, {payer: -10, payee: 10}, ref=ref) for _ in range(3)]
    assert outcomes == ["posted", "duplicate", "duplicate"]
    assert ledger.post(db_connection, {payer: -10, payee: 10}, ref=ref, kind="fee") == "posted"
    assert ledger.balance(db_connection, payer) == 80


def test_no_wallet_goes_below_zero(db_connection: Any) -> None:
    payer, payee = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    ledger.fund(db_connection, payer, 100)
    assert ledger.post(db_connection, {payer: -101, payee: 101}) == "insufficient"
    assert (ledger.balance(db_connection, payer), ledger.balance(db_connection, payee)) == (100, 0)
    assert ledger.postings(db_connection, payee) == []


def test_frozen_wallet_accepts_credits_and_refuses_debits(db_connection: Any) -> None:
    wallet, other = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    ledger.fund(db_connection, wallet, 50)
    run(db_connection, "SELECT account_freeze(%s, true)", wallet)
    assert ledger.post(db_connection, {wallet: -1, other: 1}) == "frozen"
    assert ledger.hold(db_connection, wallet, 1, uuid.uuid4()) == "frozen"
    ledger.fund(db_connection, wallet, 5)
    assert ledger.balance(db_connection, wallet) == 55


def test_held_money_is_not_for_spending(db_connection: Any) -> None:
    """Breaks when available is the balance without what is held."""
    payer, payee = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    ledger.fund(db_connection, payer, 100)
    ref = uuid.uuid4()
    assert ledger.hold(db_connection, payer, 60, ref) == "held"
    assert ledger.hold(db_connection, payer, 60, ref) == "duplicate"
    assert ledger.hold(db_connection, payer, 41, uuid.uuid4()) == "insufficient"
    assert ledger.post(db_connection, {payer: -41, payee: 41}) == "insufficient"
    assert ledger.post(db_connection, {payer: -40, payee: 40}) == "posted"
    assert ledger.release(db_connection, ref) == "released"
    assert ledger.release(db_connection, ref) == "closed"
    assert ledger.held(db_connection, payer) == 0
    assert ledger.post(db_connection, {payer: -60, payee: 60}) == "posted"


def test_a_capture_takes_at_most_its_hold_and_frees_the_rest(db_connection: Any) -> None:
    payer, payee = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    ledger.fund(db_connection, payer, 100)
    hold = uuid.uuid4()
    ledger.hold(db_connection, payer, 60, hold)
    assert ledger.post(db_connection, {payer: -61, payee: 61}, hold=hold) == "insufficient"
    assert ledger.post(db_connection, {payer: -50, payee: 50}, hold=hold) == "posted"
    assert (ledger.balance(db_connection, payer), ledger.held(db_connection, payer)) == (50, 0)
    assert ledger.post(db_connection, {payer: -1, payee: 1}, hold=hold) == "hold_closed"
    assert ledger.post(db_connection, {payer: -1, payee: 1}, hold=uuid.uuid4()) == "hold_closed"
    assert ledger.release(db_connection, hold) == "closed"


def test_capture_needs_the_accounts_own_hold(db_connection: Any) -> None:
    payer, other, payee = (ledger.open_account(db_connection)[0] for _ in range(3))
    ledger.fund(db_connection, payer, 100)
    ledger.fund(db_connection, other, 100)
    hold = uuid.uuid4()
    ledger.hold(db_connection, other, 60, hold)
    assert ledger.post(db_connection, {payer: -50, payee: 50}, hold=hold) == "hold_closed"
    assert ledger.held(db_connection, other) == 60


def test_a_hold_is_captured_by_a_debit_or_not_at_all(db_connection: Any) -> None:
    """An entry without a floored debit cannot use a hold up. Breaks when it closes the hold and leaves `held` behind."""
    wallet = ledger.open_account(db_connection)[0]
    outside = ledger.open_account(db_connection, is_floored=False)[0]
    ledger.fund(db_connection, wallet, 100)
    hold = uuid.uuid4()
    ledger.hold(db_connection, wallet, 60, hold)
    assert ledger.post(db_connection, {outside: -5, wallet: 5}, hold=hold) == "hold_closed"
    assert run(db_connection, "SELECT state FROM holds WHERE ref_id = %s", str(hold)) == [("open",)]


@pytest.mark.parametrize(
    ("amounts", "currency", "state"),
    [
        ([-10, 11], "USD", "LG001"),
        ([0, 0], "USD", "LG001"),
        ([10], "USD", "LG001"),
        ([], "USD", "LG001"),
        ([-10, 10, 5], "USD", "LG001"),
        ([-10, 10], "EUR", "LG002"),
    ],
)
def test_invalid_entry_raises(db_connection: Any, amounts: list[int], currency: str, state: str) -> None:
    payer, payee = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    ledger.fund(db_connection, payer, 100)
    accounts = [payer, payee][: max(len(amounts), 0)]
    with pytest.raises(psycopg2.Error) as caught:
        one(
            db_connection,
            "SELECT ledger_post(now(), %s::uuid, NULL, 'x', %s::uuid, %s, %s::bigint[], %s::bigint[], NULL)",
            str(uuid.uuid4()),
            str(uuid.uuid4()),
            currency,
            accounts,
            amounts,
        )
    assert caught.value.pgcode == state
    assert ledger.balance(db_connection, payer) == 100


def test_accounts_come_in_order_and_once(db_connection: Any) -> None:
    """Breaks when locks may be taken in the caller's order: two such callers deadlock."""
    first, second = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    for accounts in ([second, first], [first, first]):
        with pytest.raises(psycopg2.Error) as caught:
            one(
                db_connection,
                "SELECT ledger_post(now(), %s::uuid, NULL, 'x', %s::uuid, 'USD', %s::bigint[], '{-1,1}', NULL)",
                str(uuid.uuid4()),
                str(uuid.uuid4()),
                accounts,
            )
        assert caught.value.pgcode == "LG001"


def test_an_unknown_account_is_no_account(db_connection: Any) -> None:
    payer = ledger.open_account(db_connection)[0]
    with pytest.raises(psycopg2.Error) as caught:
        ledger.post(db_connection, {payer: -1, 2**40: 1})
    assert caught.value.pgcode == "LG002"
    assert ledger.hold(db_connection, 2**40, 1, uuid.uuid4()) == "unknown"


def test_folding_changes_no_balance(db_connection: Any) -> None:
    wallet = ledger.open_account(db_connection)[0]
    for _ in range(7):
        ledger.fund(db_connection, wallet, 3)
    before = ledger.balance(db_connection, wallet)
    assert one(db_connection, "SELECT fold_account(%s, 5)", wallet) == 5
    assert (before, ledger.balance(db_connection, wallet)) == (21, 21)
    ledger.fold_all(db_connection)
    assert one(db_connection, "SELECT balance FROM accounts WHERE id = %s", wallet) == 21
