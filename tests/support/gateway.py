"""The gateway in the test's own process: its web application, its worker's jobs, the simulators, and a movable clock.

The application is served over real HTTP from threads of this process, so that the simulators' callbacks reach it; jobs
run when the test calls them (`settle` moves the clock to the next due job). The simulators are a process of their own.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests
from flask import Flask
from sqlalchemy import text
from werkzeug.serving import make_server

from app import clock, create_app, ledger
from app.principal import Principal
from app.services.tenants import tenants
from app.unit_of_work import reading
from app.worker.runner import run_job
from launcher.addresses import free_port
from tests.support.sandbox import RunningSandbox, kept_alive, running_sandbox
from tests.support.waiting import wait_until

CURRENCIES = {
    "mpesa": "KES",
    "stripe": "USD",
    "chapa": "ETB",
    "paystack": "NGN",
    "pesapal": "KES",
    "cpay": "USD",
}
"""What each provider is paid in where a test does not care."""

HTTP_PROVIDERS = ("mpesa", "stripe", "chapa", "paystack", "pesapal")

ONE_OF_A_KIND = ("mpesa", "stripe")
"""One provider that asks on the phone and answers by callback, and one with a page: for rules that are the gateway's own.
What differs from provider to provider is tested with all of them."""

OPERATOR = Principal.of_command("olive")

FINAL = ("completed", "failed", "cancelled", "refunded", "partially_refunded", "reversed")

TIMEOUT_S = 6
"""PROVIDER_TIMEOUT_S of the gateway: enough for a busy machine where no test wants a late answer."""

TOKEN_TTL_S = 30 * 24 * 3600
"""Access tokens outlive every journey of the clock."""

SLOW_WORKER_H = 12
"""Between two runs of the jobs when an hour has passed: the inquiries are hourly then, and one is like the other."""

_STATUS_AND_NEXT_JOB = """
SELECT status, (SELECT min(run_at) FROM jobs WHERE state = 'due') FROM payments WHERE id = :id
"""

_CLEARING = """
SELECT split_part(split_part(public_id, ':', 2), '.', 1), currency, sum(balance) FROM account_balances
WHERE kind = 'clearing' GROUP BY 1, 2
"""
"""Of all accounts at a provider, the tenants' own too: one simulator stands for them all."""

CUSTOMER = {"phone": "+254700000000", "email": "customer@example.com", "name": "John Doe"}


@dataclass
class Gateway:
    """One merchant's gateway. `url`: its API's base; `headers`: the merchant's key."""

    app: Flask
    sandbox: RunningSandbox
    url: str
    tenant_id: uuid.UUID
    headers: dict[str, str] = field(repr=False)
    http: requests.Session = field(repr=False)
    advanced_s: float = 0.0

    # --- what a merchant does

    def post(self, path: str, json: Any = None, *, key: str | None = None) -> requests.Response:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        return self.http.post(f"{self.url}{path}", json=json, headers=headers, timeout=60)

    def get(self, path: str) -> requests.Response:
        return self.http.get(f"{self.url}{path}", headers=self.headers, timeout=60)

    def initialize(
        self, provider: str, amount: object = 100, *, key: str | None = None, **more: Any
    ) -> requests.Response:
        body = {
            "provider": provider,
            "amount": amount,
            "currency": CURRENCIES.get(provider, "KES"),
            "customer": CUSTOMER,
            **more,
        }
        return self.post("/payments/initialize", body, key=key or str(uuid.uuid4()))

    def begin(self, provider: str, amount: object = 100, **more: Any) -> str:
        """A payment's id, whatever became of it."""
        answer = self.initialize(provider, amount, **more)
        assert answer.status_code in (201, 402, 502), answer.text
        return str(answer.json()["data"]["id"])

    def payment(self, payment_id: str) -> dict[str, Any]:
        answer = self.get(f"/payments/{payment_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    def refund(
        self, payment_id: str, amount: object | None = None, *, key: str | None = None
    ) -> requests.Response:
        body = {} if amount is None else {"amount": amount}
        return self.post(f"/payments/{payment_id}/refund", body, key=key or str(uuid.uuid4()))

    # --- time and the worker

    def run_due(self) -> int:
        """Every job that is due now, in this thread; how many ran."""
        due = "SELECT id FROM jobs WHERE state = 'due' AND run_at <= :now AND (leased_until IS NULL OR leased_until < :now)"
        found = [row[0] for row in self.rows(f"{due} ORDER BY run_at", now=clock.now())]
        with self.app.app_context():
            for job_id in found:
                run_job(job_id)
        return len(found)

    def advance(self, seconds: float) -> None:
        """Move the gateway's clock and the simulators' forward."""
        clock.travel(timedelta(seconds=seconds))
        self.advanced_s += seconds
        self.sandbox.control({"advance_s": self.advanced_s})

    def settle(self, payment_id: str, *, until: tuple[str, ...] = FINAL, hours: float = 72) -> dict[str, Any]:
        """Let time pass and jobs run until the payment has one of these statuses, or `hours` are over.

        Jobs run when they are due in the first hour, later every `SLOW_WORKER_H` hours.
        """
        began = clock.now()
        end = began + timedelta(hours=hours)
        while True:
            self.quiet()
            while self.run_due():
                self.quiet()
            ((status, next_at),) = self.rows(_STATUS_AND_NEXT_JOB, id=payment_id)
            if status in until or next_at is None or next_at > end:
                return self.payment(payment_id)
            if clock.now() - began > timedelta(hours=1):
                next_at = min(end, max(next_at, clock.now() + timedelta(hours=SLOW_WORKER_H)))
            self.advance(max(0.1, (next_at - clock.now()).total_seconds() + 0.1))

    def quiet(self) -> None:
        """Until the simulators have done what they meant to do within a second: customers paid, callbacks delivered.

        The second is not waited for: both clocks are moved.
        """

        def is_quiet() -> bool:
            now, soon = self.sandbox.due(within_s=1)
            if soon and not now:
                self.advance(1)
            return not soon

        wait_until(is_quiet, "the simulators are quiet", every_s=0.02)

    # --- what is true

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.app.app_context(), reading() as session:
            return list(session.execute(text(statement), values))

    def attempts(self, payment_id: str) -> list[Any]:
        return self.rows(
            "SELECT * FROM payment_attempts WHERE payment_id = :id ORDER BY number", id=payment_id
        )

    def book(self, payment_id: str) -> list[dict[str, Any]]:
        """What the provider really did for this payment: the entries of its own book."""
        found: list[dict[str, Any]] = []
        for attempt in self.attempts(payment_id):
            for reference in (attempt.reference, attempt.short_reference):
                found += self.sandbox.book(attempt.provider, reference)["entries"]
        return found

    def charged(self, payment_id: str) -> list[Decimal]:
        """Each charge the provider's book holds for the payment, in major units."""
        return [Decimal(entry["amount"]) for entry in self.book(payment_id) if entry["kind"] == "charge"]

    def balance(self, public_id: str) -> int:
        rows = self.rows("SELECT balance FROM account_balances WHERE public_id = :id", id=public_id)
        return int(rows[0][0]) if rows else 0

    def assert_ledger_matches_providers(self) -> None:
        """The ledger is clean, and clearing is what each provider's own book says, to the minor unit."""
        self.assert_ledger_is_clean()
        self.assert_clearing_matches_providers()

    def assert_ledger_is_clean(self) -> None:
        with self.app.app_context(), reading() as session:
            assert [str(finding) for finding in ledger.check(session)] == []

    def assert_clearing_matches_providers(self) -> None:
        """As `assert_ledger_matches_providers`, without the check of the ledger itself."""
        clearing = {(provider, currency): int(amount) for provider, currency, amount in self.rows(_CLEARING)}
        for provider, currencies in self.sandbox.totals().items():
            for currency, totals in currencies.items():
                digits = {"JPY": 0, "KWD": 3, "UGX": 0, "XOF": 0}.get(currency, 2)
                held = Decimal(totals["charge"]) - Decimal(totals["refund"]) - Decimal(totals["payout"])
                theirs = int(held.scaleb(digits))
                ours = -clearing.get((provider, currency), 0)
                assert ours == theirs, (provider, currency, totals)


@contextmanager
def running_gateway(settings: Mapping[str, str], folder: Path, **more: str) -> Iterator[Gateway]:
    """A gateway on the database and Redis of `settings`. more: settings that differ.

    The customer pays at once (autopay 0); the simulators' books are empty.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_sandbox(folder, autopay_s=0.0, webhook_base=f"{url}/api/v1/webhooks") as sandbox:
        app = create_app(
            {
                **settings,
                "SANDBOX_URL": sandbox.url,
                "PUBLIC_URL": url,
                "PROVIDER_TIMEOUT_S": str(TIMEOUT_S),
                "ACCESS_TOKEN_TTL_S": str(TOKEN_TTL_S),
                "VAR_DIR": str(folder),
                **more,
            }
        )
        server = make_server("127.0.0.1", port, app, threaded=True)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            with app.app_context():
                tenant, key = tenants.create_tenant("Merchant", "growth")
            headers = {"X-TENANT-API-KEY": key}
            with kept_alive() as http:
                yield Gateway(app, sandbox, f"{url}/api/v1", tenant.id, headers, http)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
