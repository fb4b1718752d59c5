"""Clients that pay, deposit and withdraw at random, and never give up on an answer: same key until it comes."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.storms.conftest import Site
from tests.support.crowd import new_key
from tests.support.factories import Person, make_user, make_wallet
from tests.support.soundness import query

PATIENCE_S = 60.0

LOST_ANSWERS = 0.1
"""This part of the first requests is sent and its answer not waited for, as if the line had gone."""


@dataclass
class Told:
    """What the clients were told in the end."""

    payments: list[str] = field(default_factory=list)
    change_minor: int = 0
    """Deposits less withdrawals, in cents."""
    answers: int = 0
    surprises: list[str] = field(default_factory=list)


class Storm:
    """`clients` threads, each `operations` long, over `people` wallets of 200.00 USD."""

    def __init__(
        self, site: Site, *, clients: int = 6, operations: int = 100, people: int = 8, seed: int = 1
    ) -> None:
        self._site = site
        self._people = [make_user(site.app, tier=3) for _ in range(people)]
        self._wallets = [make_wallet(site.app, person, balance="200.00") for person in self._people]
        self.before_minor = self.total_minor()
        self.told = Told()
        self._guard = threading.Lock()
        self._threads = [
            threading.Thread(target=self._client, args=(random.Random(seed * 1000 + number), operations))
            for number in range(clients)
        ]

    def __enter__(self) -> Storm:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    @property
    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def wait_for_answers(self, count: int) -> None:
        """Until so many operations were answered, or all are."""
        while self.told.answers < count and not self.is_over:
            time.sleep(0.01)

    def total_minor(self) -> int:
        rows = query(
            self._site.app,
            "SELECT sum(balance) FROM account_balances WHERE public_id = ANY (:wallets)",
            wallets=self._wallets,
        )
        return int(rows[0][0])

    def _client(self, chance: random.Random, operations: int) -> None:
        with requests.Session() as session:
            for _ in range(operations):
                person = chance.randrange(len(self._people))
                path, body = self._operation(chance, person)
                wait_s = 0.002 if chance.random() < LOST_ANSWERS else 15.0
                answer = self._ask(session, path, body, self._people[person], wait_s=wait_s)
                with self._guard:
                    self._note(path, body, answer)

    def _operation(self, chance: random.Random, person: int) -> tuple[str, dict[str, Any]]:
        wallet, kind = self._wallets[person], chance.random()
        amount = f"{chance.randint(1, 3000) / 100:.2f}"
        if kind < 0.1:
            return f"/api/v1/accounts/{wallet}/deposit", {"amount": amount, "source": "external"}
        if kind < 0.2:
            return f"/api/v1/accounts/{wallet}/withdraw", {"amount": amount, "destination": "bank"}
        others = [other for other in self._wallets if other != wallet]
        if kind < 0.3:
            items = [{"amount": amount, "destination": chance.choice(others)} for _ in range(5)]
            return "/api/v1/payments/batch", {"source_wallet_id": wallet, "payments": items}
        return "/api/v1/payments", {
            "amount": amount, "currency": "USD", "source_wallet_id": wallet, "destination": chance.choice(others),
        }  # fmt: skip

    def _ask(
        self, session: requests.Session, path: str, body: dict[str, Any], person: Person, *, wait_s: float
    ) -> Any:
        headers = person.headers | {"Idempotency-Key": new_key()}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(requests.RequestException):
                answer = session.post(
                    self._site.house.url + path, json=body, headers=headers, timeout=(15, wait_s)
                )
                if answer.status_code not in (409, 503):
                    return answer
            wait_s = 15.0
            time.sleep(0.1)
        return None

    def _note(self, path: str, body: dict[str, Any], answer: Any) -> None:
        told = self.told
        told.answers += 1
        if answer is None or answer.status_code >= 500:
            told.surprises.append(f"{path}: {answer.text if answer is not None else 'no answer'}")
        elif answer.status_code == 201 and path.endswith("batch"):
            told.payments += [
                result["payment_id"] for result in answer.json()["results"] if result["payment_id"]
            ]
        elif answer.status_code == 201:
            told.payments.append(answer.json()["payment_id"])
        elif answer.status_code == 200:
            cents = round(float(body["amount"]) * 100)
            told.change_minor += cents if path.endswith("deposit") else -cents
        elif answer.json()["error"]["code"] != "INSUFFICIENT_BALANCE":
            told.surprises.append(f"{path}: {answer.text}")


def assert_survived(site: Site, storm: Storm) -> None:
    """Nobody was told something that is not so: each payment told is there once, and nothing else is."""
    told = storm.told
    assert told.surprises == []
    assert len(told.payments) == len(set(told.payments))
    booked = {
        row[0]
        for row in query(
            site.app,
            "SELECT 'pmt_' || replace(id::text, '-', '') FROM wallet_payments WHERE source = ANY (:wallets)",
            wallets=storm._wallets,
        )
    }
    assert booked == set(told.payments)
    assert storm.total_minor() == storm.before_minor + told.change_minor
