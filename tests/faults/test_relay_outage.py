"""The relay down during hours of traffic, and a reader that holds an old snapshot: nothing is lost and nothing stalls.

Seen failing when some of the payments that are published together are not completed.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import pytest
import requests

from tests.faults.conftest import StackWithApp
from tests.support.database import connection, one, run
from tests.support.factories import SignedInUser, balance_of, make_user, make_wallet
from tests.support.invariants import query, wait_published

BATCH, BATCHES = 500, 3
SNAPSHOT_BATCHES = 6


@dataclass
class Payer:
    """Pays single cents, one by one or 500 at a time."""

    race_stack: StackWithApp
    sender: SignedInUser
    source: str
    target: str

    def pay(self) -> float:
        """Seconds until the answer."""
        body = {"amount": "0.01", "source_wallet_id": self.source, "destination": self.target}
        began = time.monotonic()
        self._post("/api/v1/payments", body)
        return time.monotonic() - began

    def pay_many(self) -> None:
        items = [{"amount": "0.01", "destination": self.target}] * BATCH
        batch = self._post("/api/v1/payments/batch", {"source_wallet_id": self.source, "payments": items})
        assert batch["succeeded"] == BATCH

    def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        answer = requests.post(
            f"{self.race_stack.url}{path}", json=body, headers=self.sender.headers, timeout=30
        )
        assert answer.status_code == 201, answer.text
        batch: dict[str, object] = answer.json()
        return batch


@pytest.fixture
def recipient(own_stack: StackWithApp) -> SignedInUser:
    return make_user(own_stack.app, tier=3)


@pytest.fixture
def payer(own_stack: StackWithApp, recipient: SignedInUser) -> Payer:
    sender = make_user(own_stack.app, tier=3)
    source = make_wallet(own_stack.app, sender, balance="1000")
    return Payer(own_stack, sender, source, make_wallet(own_stack.app, recipient))


@pytest.mark.slow
def test_an_hour_without_a_relay(own_stack: StackWithApp, payer: Payer, recipient: SignedInUser) -> None:
    """1,500 payments wait; requests do not. Afterwards all are published, each object's events in order."""
    usual = statistics.median(payer.pay() for _ in range(10))
    own_stack.processes.kill("relay")
    began = time.monotonic()
    for _ in range(BATCHES):
        payer.pay_many()
    filling_s = time.monotonic() - began
    assert statistics.median(payer.pay() for _ in range(10)) < 5 * usual + 0.05
    paid = BATCH * BATCHES + 20
    assert balance_of(own_stack.app, recipient, payer.target) == f"{paid / 100:.2f}", (
        "right before it is folded"
    )
    assert query(own_stack.app, "SELECT count(*) FROM unfolded")[0][0] > BATCH * BATCHES
    # The recipient spends what only waits, which folds it on the way: in about the time that writing it took.
    back = Payer(own_stack, recipient, payer.target, payer.source)
    assert back.pay() < 5 * filling_s
    own_stack.processes.start("relay")
    wait_published(own_stack.app, timeout_s=60)
    own_stack.assert_invariants(timeout_s=1)
    assert balance_of(own_stack.app, recipient, payer.target) == f"{(paid - 1) / 100:.2f}"


@pytest.mark.slow
def test_old_snapshot_does_not_stall_the_relay(own_stack: StackWithApp, payer: Payer) -> None:
    """Its snapshot keeps every dead row of the queues alive through thousands of payments: they become final as soon as
    without it, and requests are answered as quickly."""
    for _ in range(2):
        payer.pay_many()
        wait_published(own_stack.app)
    usual, usual_lag = statistics.median(payer.pay() for _ in range(9)), _lags(own_stack, payer)
    with connection(own_stack.settings, is_autocommit=False) as reader:
        run(reader, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL transaction_timeout = 0")
        seen = one(reader, "SELECT count(*) FROM wallet_payments")
        answers: list[float] = []
        for _ in range(SNAPSHOT_BATCHES):
            payer.pay_many()
            wait_published(own_stack.app)
            answers += [payer.pay() for _ in range(3)]
        assert one(reader, "SELECT count(*) FROM wallet_payments") == seen
    # The last ones found the most dead rows.
    assert statistics.median(answers[-9:]) < 5 * usual + 0.05
    assert statistics.median(_lags(own_stack, payer)) < 3 * statistics.median(usual_lag) + 0.5
    own_stack.assert_invariants()


def _lags(race_stack: StackWithApp, payer: Payer) -> list[float]:
    """Seconds from a payment's answer to its completion, of the payer's last ones."""
    rows = query(
        race_stack.app,
        "SELECT extract(epoch FROM completed_at - created_at)::float FROM wallet_payments "
        "WHERE source = :source AND completed_at IS NOT NULL ORDER BY created_at DESC LIMIT :count",
        source=payer.source,
        count=2 * BATCH,
    )
    return [row[0] for row in rows]


def test_a_transaction_that_stays_open_delays_its_own_event_only(
    own_stack: StackWithApp, payer: Payer
) -> None:
    """An outbox number is held by an open transaction while hundreds of later ones are committed."""
    with connection(own_stack.settings, is_autocommit=False) as slow:
        run(
            slow,
            "INSERT INTO outbox (type, object_id, actor, is_public, data, at) "
            "VALUES ('wallet.opened', 'acc_slow', 'system', true, '{}', now())",
        )
        payer.pay_many()
        wait_published(own_stack.app)
        assert query(own_stack.app, "SELECT FROM events WHERE object_id = 'acc_slow'") == []
        slow.commit()
    wait_published(own_stack.app)
    assert len(query(own_stack.app, "SELECT FROM events WHERE object_id = 'acc_slow'")) == 1
    own_stack.assert_invariants()
