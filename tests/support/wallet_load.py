"""Random customers of a running stack, and a check that the ledger matches every answer they received."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from tests.support.factories import make_user, make_wallet
from tests.support.invariants import query
from tests.support.random_customers import Customer, RequestLog, run_customers

OPENING_CENTS = 50_00


class WalletLoad:
    """`users` customers with a funded wallet each, in a process of their own."""

    def __init__(self, app: Flask, url: str, folder: Path, *, users: int) -> None:
        self._app, self._url = app, url
        self._stop = folder / "stop"
        made = [make_user(app, tier=3) for _ in range(users)]
        wallets = [make_wallet(app, user, balance=f"{OPENING_CENTS // 100}") for user in made]
        self._wallets = wallets
        names = wallets + [user.email for user in made]
        self._customers = [
            Customer(
                user.access_token, wallet, [name for name in names if name not in (wallet, user.email)], seed
            )
            for seed, (user, wallet) in enumerate(zip(made, wallets, strict=True))
        ]
        self._cash_before = self._cash()
        self.logs: list[RequestLog] = []

    @contextmanager
    def running(self, *, least: int) -> Iterator[None]:
        """Run the customers while the block runs, and until each made `least` operations."""
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            running = pool.submit(run_customers, self._url, self._customers, least, self._stop)
            try:
                yield
            finally:
                self._stop.touch()
            self.logs = running.result()

    @property
    def operations(self) -> int:
        return sum(log.operations for log in self.logs)

    @property
    def failed_connections(self) -> int:
        """Connections that broke or timed out."""
        return sum(log.failed_connections for log in self.logs)

    @property
    def statuses(self) -> Counter[int]:
        return sum((log.statuses for log in self.logs), Counter())

    def assert_answers_match_ledger(self) -> None:
        """The ledger holds exactly the payments that customers were answered, and no money was created or lost."""
        assert self.statuses[500] == 0
        answered = {name: cents for log in self.logs for name, cents in log.payments.items()}
        recorded = self._query(
            "SELECT 'pmt_' || replace(id::text, '-', ''), amount FROM wallet_payments WHERE source = ANY (:wallets)"
        )
        assert dict(recorded) == answered
        cash = {name: cents for log in self.logs for name, cents in log.cash.items()}
        assert self._cash() == self._cash_before | cash
        ((left,),) = self._query("SELECT sum(balance) FROM account_balances WHERE public_id = ANY (:wallets)")
        assert left == OPENING_CENTS * len(self._wallets) + sum(cash.values())

    def _cash(self) -> dict[str, int]:
        """Deposits and withdrawals of the customers' wallets: transaction id → signed cents."""
        rows = self._query(
            "SELECT 'txn_' || replace(c.entry_id::text, '-', ''), CASE c.kind WHEN 'deposit' THEN c.amount "
            "ELSE -c.amount END FROM direct_fundings c JOIN accounts a ON a.id = c.account_id "
            "WHERE a.public_id = ANY (:wallets)"
        )
        return dict(rows)

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in query(self._app, statement, wallets=self._wallets)]
