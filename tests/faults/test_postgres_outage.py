"""Postgres killed as by a power cut, and shut down fast, under load: every process recovers without help.

The server writes durably here (fsync on). Seen failing when a lost connection is an error like any other (500), and
with customers who retry without a key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from launcher.embedded import EmbeddedPostgres, EmbeddedRedis
from tests.faults.conftest import StackWithApp, open_stack
from tests.support.factories import balance_of, make_user, make_wallet
from tests.support.invariants import wait_published
from tests.support.simultaneous_requests import new_key
from tests.support.waiting import wait_until
from tests.support.wallet_load import WalletLoad

OPTIONS = {"shared_buffers": "64MB"}


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres.temporary(options=OPTIONS) as server:
        yield server


@pytest.fixture(scope="module")
def own_stack(
    own_postgres: EmbeddedPostgres, redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackWithApp]:
    """A stack with a Postgres of its own."""
    with open_stack(own_postgres, redis_server, tmp_path_factory.mktemp("stack")) as race_stack:
        yield race_stack


@pytest.mark.slow
def test_wallet_load_survives_postgres_crashes(
    own_stack: StackWithApp, own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    load = WalletLoad(own_stack.app, own_stack.url, tmp_path, users=5)
    with load.running(least=15):
        for end in (own_postgres.kill, own_postgres.stop):
            own_stack.wait_for_more_payments(20)
            end()
            own_postgres.start()
            own_stack.reconnect()
    assert load.statuses[503] > 0, "no request failed"
    wait_published(own_stack.app)
    own_stack.assert_invariants(timeout_s=1)
    load.assert_answers_match_ledger()


def test_outage_answers_503_with_retry_after(own_stack: StackWithApp, own_postgres: EmbeddedPostgres) -> None:
    """503 in the surface's shape with Retry-After, never a 500; then the same key pays once."""
    sender = make_user(own_stack.app)
    source, target = (
        make_wallet(own_stack.app, sender, balance="100"),
        make_wallet(own_stack.app, make_user(own_stack.app)),
    )
    body = {"amount": 10, "source_wallet_id": source, "destination": target}
    headers = sender.headers | {"Idempotency-Key": new_key()}

    def pay() -> requests.Response:
        return requests.post(f"{own_stack.url}/api/v1/payments", json=body, headers=headers, timeout=30)

    with requests.Session() as session:
        own_postgres.kill()
        answers = [pay() for _ in range(3)]
        answers.append(session.get(f"{own_stack.url}/api/v1/accounts", headers=sender.headers, timeout=30))
        live = session.get(f"{own_stack.url}/health/live", timeout=30).status_code
        ready = session.get(f"{own_stack.url}/health/ready", timeout=30).status_code
    assert Counter(answer.status_code for answer in answers) == {503: 4}
    for answer in answers:
        assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert int(answer.headers["Retry-After"]) > 0
    assert (live, ready) == (200, 503)
    own_postgres.start()
    own_stack.reconnect()
    # Each web worker finds its own dead connections, and may say 503 once more.
    paid, again = [
        wait_until(lambda: (answer := pay()).status_code == 201 and answer, "a payment") for _ in range(2)
    ]
    assert again.json()["payment_id"] == paid.json()["payment_id"]
    assert balance_of(own_stack.app, sender, source) == "90.00"
    own_stack.assert_invariants()
