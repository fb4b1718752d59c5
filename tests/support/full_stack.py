"""Every process as in production, for load tests: web, relay, worker and simulators, and a merchant that requests
payments."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from flask import Flask

from app import create_app
from launcher.embedded import APPLICATION, OWNER, SUPERUSER, EmbeddedRedis
from tests.support import invariants, servers
from tests.support.gateway import CURRENCIES, CUSTOMER
from tests.support.stack import Stack, running_stack
from tests.support.tenants import MerchantClient, make_merchant

MINOR_DIGITS = {"JPY": 0, "KWD": 3, "UGX": 0, "XOF": 0}
"""Of currencies that have not two."""


@dataclass(frozen=True)
class TimedAnswer:
    """An answer to a request for a payment or a refund. seconds: how long it took."""

    http: int
    body: dict[str, Any]
    seconds: float

    @property
    def id(self) -> str:
        return str(self.body["data"]["id"])

    @property
    def status(self) -> str:
        return str(self.body["data"]["status"])


@dataclass
class FullStack:
    """A running stack, a merchant's key, and an application on the same database for questions."""

    processes: Stack
    app: Flask
    merchant: MerchantClient
    superuser_url: str

    def initialize(self, provider: str, amount: int = 100, *, currency: str | None = None) -> TimedAnswer:
        body = {
            "provider": provider,
            "amount": amount,
            "currency": currency or CURRENCIES[provider],
            "customer": CUSTOMER,
        }
        return self._post("/payments/initialize", body)

    def refund(self, payment_id: str, amount: int | None = None) -> TimedAnswer:
        return self._post(f"/payments/{payment_id}/refund", {} if amount is None else {"amount": amount})

    def _post(self, path: str, body: dict[str, Any]) -> TimedAnswer:
        began = time.monotonic()
        answer = requests.post(
            f"{self.processes.url}/api/v1{path}",
            json=body,
            headers=self.merchant.headers | {"Idempotency-Key": str(uuid.uuid4())},
            timeout=60,
        )
        return TimedAnswer(answer.status_code, answer.json(), time.monotonic() - began)

    def control(self, wanted: dict[str, Any]) -> None:
        answer = requests.post(f"{self.processes.sandbox_url}/sandbox/control", json=wanted, timeout=30)
        assert answer.status_code == 200, answer.text

    def book(self, provider: str) -> dict[str, Any]:
        """What the provider really did: `entries`, and `totals` by currency."""
        answer = requests.get(f"{self.processes.sandbox_url}/sandbox/book/{provider}", timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def query(self, statement: str, **values: object) -> list[Any]:
        return invariants.query(self.app, statement, **values)


@contextmanager
def running_full_stack(redis: EmbeddedRedis, folder: Path, **more: str) -> Iterator[FullStack]:
    """A full stack on a new database; customers pay at once. more: settings that differ."""
    postgres, database = servers.postgres(), servers.new_database()
    settings = servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis.url(),
        var_dir=folder / "files",
        REALTIME="external",
        WEB_WORKERS="1",
        LOG_LEVEL="ERROR",
        SANDBOX_AUTOPAY_S="0",
        **more,
    )
    app = create_app(settings | {"LOG_LEVEL": "WARNING"})  # the level is the whole process's
    del settings["SANDBOX_URL"]  # the stack has its own simulators
    with running_stack(settings, folder, processes=("sandbox", "web", "relay", "worker")) as stack:
        yield FullStack(stack, app, make_merchant(app), postgres.url(SUPERUSER, database))
        assert "unhandled" not in stack.log("web").read_text(), "a 500 was answered"
