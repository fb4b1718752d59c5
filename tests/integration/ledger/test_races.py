"""Two concurrent database transactions, run step by step: the second waits for the first, then sees its changes."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support import ledger_sql as ledger
from tests.support.database import blocked, connection, run
from tests.support.waiting import wait_until


@contextmanager
def _behind(
    settings: dict[str, str], db_connection: Any, first: Callable[[Any], str], second: Callable[[Any], str]
) -> Iterator[list[str]]:
    """`first` runs in an open transaction, `second` is waiting for it; then the first commits."""
    outcomes: list[str] = []
    with (
        connection(settings, is_autocommit=False) as holder,
        connection(settings) as waiter,
    ):
        outcomes.append(first(holder))
        thread = threading.Thread(target=lambda: outcomes.append(second(waiter)), daemon=True)
        thread.start()
        pid = waiter.info.backend_pid
        wait_until(lambda: blocked(db_connection, pid), "the second to wait for the first", timeout_s=8)
        holder.commit()
        thread.join(30)
        yield outcomes


@pytest.fixture
def pair(db_connection: Any) -> tuple[int, int]:
    """A wallet with 10, and an empty one."""
    payer, payee = ledger.open_account(db_connection)[0], ledger.open_account(db_connection)[0]
    ledger.fund(db_connection, payer, 10)
    ledger.fold_all(db_connection)
    return payer, payee


def test_two_spends_of_one_balance(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    """Breaks when the balance is read before the lock."""
    payer, payee = pair

    def spend(opened: Any) -> str:
        return ledger.post(opened, {payer: -10, payee: 10})

    with _behind(settings, db_connection, spend, spend) as outcomes:
        assert outcomes == ["posted", "insufficient"]
    assert ledger.balance(db_connection, payer) == 0


def test_repeated_posting_is_a_duplicate_even_without_funds(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    """The second caller must be answered that it is posted, never that it was refused. Breaks when it reads before
    it locks."""
    payer, payee = pair
    ref = uuid.uuid4()

    def spend(opened: Any) -> str:
        return ledger.post(opened, {payer: -10, payee: 10}, ref=ref)

    with _behind(settings, db_connection, spend, spend) as outcomes:
        assert outcomes == ["posted", "duplicate"]


def test_the_same_capture_twice_is_a_duplicate(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    payer, payee = pair
    ref, hold = uuid.uuid4(), uuid.uuid4()
    ledger.hold(db_connection, payer, 10, hold)

    def capture(opened: Any) -> str:
        return ledger.post(opened, {payer: -10, payee: 10}, ref=ref, hold=hold)

    with _behind(settings, db_connection, capture, capture) as outcomes:
        assert outcomes == ["posted", "duplicate"]
    assert (ledger.balance(db_connection, payer), ledger.held(db_connection, payer)) == (0, 0)


def test_the_same_hold_twice_is_a_duplicate(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    ref = uuid.uuid4()

    def hold(opened: Any) -> str:
        return ledger.hold(opened, pair[0], 10, ref)

    with _behind(settings, db_connection, hold, hold) as outcomes:
        assert outcomes == ["held", "duplicate"]
    assert ledger.held(db_connection, pair[0]) == 10


def test_a_release_behind_a_capture_frees_nothing(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    payer, payee = pair
    hold = uuid.uuid4()
    ledger.hold(db_connection, payer, 10, hold)
    with _behind(
        settings,
        db_connection,
        lambda opened: ledger.post(opened, {payer: -4, payee: 4}, hold=hold),
        lambda opened: ledger.release(opened, hold),
    ) as outcomes:
        assert outcomes == ["posted", "closed"]
    assert (ledger.balance(db_connection, payer), ledger.held(db_connection, payer)) == (6, 0)


def test_a_capture_behind_a_release_takes_nothing(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    payer, payee = pair
    hold = uuid.uuid4()
    ledger.hold(db_connection, payer, 10, hold)
    with _behind(
        settings,
        db_connection,
        lambda opened: ledger.release(opened, hold),
        lambda opened: ledger.post(opened, {payer: -4, payee: 4}, hold=hold),
    ) as outcomes:
        assert outcomes == ["released", "hold_closed"]
    assert ledger.balance(db_connection, payer) == 10


def test_a_debit_behind_a_freeze_is_refused(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    payer, payee = pair
    with _behind(
        settings,
        db_connection,
        lambda opened: str(run(opened, "SELECT account_freeze(%s, true)", payer)[0][0]),
        lambda opened: ledger.post(opened, {payer: -1, payee: 1}),
    ) as outcomes:
        assert outcomes == ["True", "frozen"]


def test_credit_does_not_wait_for_locks(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    """A wallet can be credited while it is being debited. Breaks when a credit locks the row: 55P03 after ten seconds."""
    payer, payee = pair
    outside = ledger.open_account(db_connection, is_floored=False)[0]
    with connection(settings, is_autocommit=False) as holder:
        ledger.post(holder, {payer: -10, payee: 10})
        assert ledger.post(db_connection, {payer: 7, outside: -7}) == "posted"
    assert ledger.balance(db_connection, payer) == 17, "the holder was rolled back"


def test_the_relay_folds_around_a_locked_wallet(
    settings: dict[str, str], db_connection: Any, pair: tuple[int, int]
) -> None:
    """Breaks without SKIP LOCKED."""
    payer, payee = pair
    ledger.fund(db_connection, payer, 5)
    ledger.fund(db_connection, payee, 5)
    with connection(settings, is_autocommit=False) as holder:
        ledger.post(holder, {payer: -10, payee: 10})
        ledger.fold_all(db_connection)
        waiting = run(
            db_connection, "SELECT account_id FROM unfolded WHERE account_id IN (%s, %s)", payer, payee
        )
        assert waiting == [(payer,)]
    assert (ledger.balance(db_connection, payer), ledger.balance(db_connection, payee)) == (15, 5)


def test_a_reader_never_sees_money_twice_or_not_at_all(settings: dict[str, str], db_connection: Any) -> None:
    """A balance read while its credits are folded stays the same. Breaks when row and queue are read in two
    statements."""
    wallet = ledger.open_account(db_connection)[0]
    stop = threading.Event()

    def fold() -> None:
        with connection(settings) as opened:
            while not stop.is_set():
                run(opened, "SELECT fold_account(%s, 1)", wallet)

    for _ in range(150):
        ledger.fund(db_connection, wallet, 1)
    folder = threading.Thread(target=fold, daemon=True)
    folder.start()
    try:
        seen = {ledger.balance(db_connection, wallet) for _ in range(300)}
    finally:
        stop.set()
        folder.join(30)
    assert seen == {150}
