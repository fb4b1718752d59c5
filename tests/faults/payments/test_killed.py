"""kill -9 between a provider's answer and our commit: real processes, five payments in flight, one through each provider.

The moment is made certain: the test's own connection holds the payments' rows, so that every request with an answer
waits for them in its last transaction, and is killed there.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
import requests
from flask import Flask
from sqlalchemy import text

from app import create_app, ledger
from app.services.tenants import tenants
from app.unit_of_work import reading, transaction
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.faults.payments.expectations import SILENT, TABLE, Expected
from tests.support import servers
from tests.support.gateway import CURRENCIES, CUSTOMER, HTTP_PROVIDERS
from tests.support.invariants import query
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_until

PROCESSES = ("web", "relay", "worker", "sandbox")
TIMEOUT_S = 2
ASKABLE = sorted(set(HTTP_PROVIDERS) - set(SILENT))
CUSTOMERS_TAKE_S = 30
"""They pay when the test moves the sandbox's time so far."""

AFTER_RESTART_S = 90

LOST_AFTER_S = 61
"""More than a worker's lease, and than the time after which an answer counts as lost."""

_OLDER = (
    "UPDATE payment_attempts SET sent_at = sent_at - :age WHERE state = 'sending'",
    "UPDATE jobs SET run_at = run_at - :age, leased_until = leased_until - :age WHERE state = 'due'",
)

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND backend_type = 'client backend'
"""


class Scenario:
    """A running stack, a merchant of the test's own, and its database."""

    def __init__(self, stack: Stack, app: Flask) -> None:
        self.stack, self.app = stack, app
        with app.app_context():
            self._tenant, self._key = tenants.create_tenant("Kills", "growth")

    def rows(self, statement: str, **values: object) -> list[Any]:
        return query(self.app, statement, **values)

    def attempts(self) -> list[Any]:
        """Of this merchant's payments."""
        return self.rows(
            "SELECT a.* FROM payment_attempts a JOIN payments p ON p.id = a.payment_id WHERE p.tenant_id = :tenant",
            tenant=self._tenant.id,
        )

    def age(self, seconds: float) -> None:
        """Let every sending, job and lease be so much older: instead of waiting."""
        with self.app.app_context():
            for statement in _OLDER:
                transaction(
                    lambda s, sql=statement: s.execute(text(sql), {"age": timedelta(seconds=seconds)})
                )

    def control(self, **wanted: Any) -> None:
        url = f"{self.stack.sandbox_url}/sandbox/control"
        assert requests.post(url, json=wanted, timeout=30).status_code == 200

    def book(self, provider: str) -> dict[str, Any]:
        answer = requests.get(f"{self.stack.sandbox_url}/sandbox/book/{provider}", timeout=30)
        found: dict[str, Any] = answer.json()
        return found

    def request_all(self) -> threading.Thread:
        """One payment through every provider, all at once, by callers that may get no answer."""

        def order(provider: str) -> None:
            body = {
                "provider": provider,
                "amount": 100,
                "currency": CURRENCIES[provider],
                "customer": CUSTOMER,
            }
            headers = {"X-TENANT-API-KEY": self._key, "Idempotency-Key": uuid.uuid4().hex}
            url = f"{self.stack.url}/api/v1/payments/initialize"
            with suppress(requests.RequestException):
                requests.post(url, json=body, headers=headers, timeout=60)

        def run() -> None:
            threads = [threading.Thread(target=order, args=[name]) for name in HTTP_PROVIDERS]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        threads = threading.Thread(target=run)
        threads.start()
        return threads

    def statuses(self) -> dict[str, str]:
        mine = "SELECT provider, status FROM payments WHERE tenant_id = :tenant"
        return {row.provider: row.status for row in self.rows(mine, tenant=self._tenant.id)}

    def outcomes(self) -> dict[str, Expected]:
        """The outcome of the five payments as the table of expectations writes it."""
        reviews = {
            row.provider: row.review
            for row in self.rows(
                "SELECT p.provider, r.reason AS review FROM payments p "
                "LEFT JOIN payment_reviews r ON r.payment_id = p.id AND r.closed_at IS NULL WHERE p.tenant_id = :tenant",
                tenant=self._tenant.id,
            )
        }
        ours = {name for attempt in self.attempts() for name in (attempt.reference, attempt.short_reference)}
        charges = {
            name: sum(entry["reference"] in ours for entry in self.book(name)["entries"])
            for name in HTTP_PROVIDERS
        }
        return {
            name: Expected(status, charges[name], reviews[name]) for name, status in self.statuses().items()
        }

    def wait_until_all_are_final(self) -> None:
        def all_completed() -> bool:
            return set(self.statuses().values()) == {"completed"}

        with suppress(AssertionError):  # the comparison that follows shows the difference
            wait_until(all_completed, "five payments", timeout_s=AFTER_RESTART_S, every_s=0.2)

    def assert_ledger_matches_providers(self) -> None:
        with self.app.app_context(), reading() as session:
            assert [str(finding) for finding in ledger.check(session)] == []
        for name in HTTP_PROVIDERS:
            (row,) = self.rows(
                "SELECT balance FROM account_balances WHERE public_id = :id",
                id=f"clearing:{name}:{CURRENCIES[name]}",
            )
            (totals,) = self.book(name)["totals"].values()
            assert -row.balance == Decimal(totals["charge"]) * 100, name


@pytest.fixture(scope="module")
def running(
    redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Flask]]:
    """A stack, and an application on its database for questions."""
    folder = tmp_path_factory.mktemp("killed")
    postgres, database = servers.postgres(), servers.new_database()
    settings = servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis_server.url(),
        mode="demo",
        var_dir=folder / "files",
        PROVIDER_TIMEOUT_S=str(TIMEOUT_S),
        WEB_WORKERS="1",
        WEB_THREADS="32",
        REALTIME="external",
    )
    del settings["SANDBOX_URL"]  # the stack has its own simulators
    app = create_app({**settings, "SANDBOX_URL": "http://127.0.0.1:9"})
    with running_stack(settings, folder, processes=PROCESSES) as stack:
        yield stack, app


@pytest.fixture
def scenario(running: tuple[Stack, Flask]) -> Scenario:
    """Every process runs, and the simulators have no rules and the machine's time."""
    stack, app = running
    stack.start(*(name for name in PROCESSES if not stack.is_running(name)))
    found = Scenario(stack, app)
    found.control(rules=[], autopay_s=CUSTOMERS_TAKE_S, advance_s=0)
    return found


@contextmanager
def rows_held(scenario: Scenario, count: int) -> Iterator[Callable[[], None]]:
    """Lock every payment's row as soon as it is there, until the call of what this gives, or the end.

    Begins in the background; yields once it runs. `count`: rows to wait for.
    """
    stop = threading.Event()

    def hold() -> None:
        url = scenario.stack.environment["DATABASE_URL"]
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            held = 0
            while held < count and not stop.is_set():
                cursor.execute("SELECT id FROM payments WHERE status <> 'completed' FOR UPDATE")
                held = len(cursor.fetchall())
                time.sleep(0.005)
            stop.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()

    def release() -> None:
        stop.set()
        holder.join()

    try:
        yield release
    finally:
        release()


def wait_for_waiting(scenario: Scenario, count: int) -> None:
    """Until `count` transactions wait for a lock: they have their answers."""
    wait_until(
        lambda: scenario.rows(WAITING)[0][0] >= count,
        f"{count} transactions to wait",
        every_s=0.02,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_web_is_killed_between_answer_and_commit(scenario: Scenario) -> None:
    # The answers take long enough for the rows to be held first.
    scenario.control(rules=[{"fault": "delay", "seconds": 1}])
    with rows_held(scenario, len(HTTP_PROVIDERS)) as release:
        threads = scenario.request_all()
        wait_for_waiting(scenario, len(HTTP_PROVIDERS))
        assert {attempt.state for attempt in scenario.attempts()} == {"sending"}
        scenario.stack.kill("web")
        release()
        threads.join()
    scenario.age(LOST_AFTER_S)
    scenario.stack.start("web")
    # Inquiries find the outcome where they can; the others need the callback.
    lost = [{"fault": "callback_lost", "operation": "callback", "provider": name} for name in ASKABLE]
    scenario.control(rules=lost, advance_s=CUSTOMERS_TAKE_S)
    scenario.wait_until_all_are_final()
    assert scenario.outcomes() == TABLE["web killed before commit"]
    assert [attempt.state for attempt in scenario.attempts()] == ["succeeded"] * len(HTTP_PROVIDERS)
    scenario.assert_ledger_matches_providers()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_worker_is_killed_between_answer_and_commit(scenario: Scenario) -> None:
    """The callbacks make it inquire, the answer is "paid", and it is killed while the statement that writes it waits. Postgres may
    complete a statement whose client is gone."""
    scenario.request_all().join()
    assert scenario.statuses() == dict.fromkeys(HTTP_PROVIDERS, "processing")
    with rows_held(scenario, len(HTTP_PROVIDERS)) as release:
        scenario.control(advance_s=CUSTOMERS_TAKE_S)
        wait_for_waiting(scenario, len(HTTP_PROVIDERS))
        scenario.stack.kill("worker")
        release()
    scenario.age(LOST_AFTER_S)
    scenario.stack.start("worker")
    scenario.wait_until_all_are_final()
    assert scenario.outcomes() == TABLE["worker killed before commit"]
    scenario.assert_ledger_matches_providers()
