"""The relay dead through hours of traffic, a reader who holds an old snapshot: nothing is lost, nobody is stalled.

Seen failing when some of the payments that are published together are not completed.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import pytest
import requests

from tests.faults.conftest import Arena
from tests.support.database import connection, one, run
from tests.support.factories import Person, balance_of, make_user, make_wallet
from tests.support.soundness import query, wait_published

BATCH, BATCHES = 500, 8
SNAPSHOT_BATCHES = 20


@dataclass
class Payer:
    """Pays single cents, one by one or 500 at a time."""

    arena: Arena
    sender: Person
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
        told = self._post("/api/v1/payments/batch", {"source_wallet_id": self.source, "payments": items})
        assert told["succeeded"] == BATCH

    def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        answer = requests.post(f"{self.arena.url}{path}", json=body, headers=self.sender.headers, timeout=30)
        assert answer.status_code == 201, answer.text
        told: dict[str, object] = answer.json()
        return told


@pytest.fixture
def recipient(own_arena: Arena) -> Person:
    return make_user(own_arena.app, tier=3)


@pytest.fixture
def payer(own_arena: Arena, recipient: Person) -> Payer:
    sender = make_user(own_arena.app, tier=3)
    source = make_wallet(own_arena.app, sender, balance="1000")
    return Payer(own_arena, sender, source, make_wallet(own_arena.app, recipient))


@pytest.mark.slow
def test_an_hour_without_a_relay(own_arena: Arena, payer: Payer, recipient: Person) -> None:
    """4,040 payments wait; requests do not. Afterwards all are published, each object's events in order."""
    usual = statistics.median(payer.pay() for _ in range(20))
    own_arena.stack.kill("relay")
    began = time.monotonic()
    for _ in range(BATCHES):
        payer.pay_many()
    filling_s = time.monotonic() - began
    assert statistics.median(payer.pay() for _ in range(20)) < 5 * usual + 0.05
    paid = BATCH * BATCHES + 40
    assert balance_of(own_arena.app, recipient, payer.target) == f"{paid / 100:.2f}", (
        "right before it is folded"
    )
    assert query(own_arena.app, "SELECT count(*) FROM unfolded")[0][0] > BATCH * BATCHES
    # The recipient spends what only waits, which folds it on the way: sooner than it was written.
    back = Payer(own_arena, recipient, payer.target, payer.source)
    assert back.pay() < filling_s
    own_arena.stack.start("relay")
    wait_published(own_arena.app, timeout_s=60)
    own_arena.assert_sound(timeout_s=1)
    assert balance_of(own_arena.app, recipient, payer.target) == f"{(paid - 1) / 100:.2f}"


@pytest.mark.slow
def test_a_reader_with_an_old_snapshot_stalls_nobody(own_arena: Arena, payer: Payer) -> None:
    """Its snapshot keeps every dead row of the queues alive through thousands of payments: they become final as soon as
    without it, and requests are answered as quickly."""
    for _ in range(3):
        payer.pay_many()
        wait_published(own_arena.app)
    usual, usual_lag = statistics.median(payer.pay() for _ in range(9)), _lags(own_arena, payer, before=0)
    with connection(own_arena.settings, is_autocommit=False) as reader:
        run(reader, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL transaction_timeout = 0")
        seen = one(reader, "SELECT count(*) FROM wallet_payments")
        answers: list[float] = []
        for _ in range(SNAPSHOT_BATCHES):
            payer.pay_many()
            wait_published(own_arena.app)
            answers += [payer.pay() for _ in range(3)]
        assert one(reader, "SELECT count(*) FROM wallet_payments") == seen
    # The last ones found the most dead rows.
    assert statistics.median(answers[-9:]) < 5 * usual + 0.05
    late_lag = _lags(own_arena, payer, before=seen + (SNAPSHOT_BATCHES - 3) * BATCH)
    assert statistics.median(late_lag) < 3 * statistics.median(usual_lag) + 0.5
    own_arena.assert_sound()


def _lags(arena: Arena, payer: Payer, *, before: int) -> list[float]:
    """Seconds from a payment's answer to its completion, of the payer's last ones: all but the first `before`."""
    rows = query(
        arena.app, "SELECT extract(epoch FROM completed_at - created_at)::float FROM wallet_payments "
        "WHERE source = :source AND completed_at IS NOT NULL ORDER BY created_at OFFSET :before", source=payer.source, before=before,
    )  # fmt: skip
    return [row[0] for row in rows]


def test_a_transaction_that_stays_open_delays_its_own_event_only(own_arena: Arena, payer: Payer) -> None:
    """An outbox number is held by an open transaction while hundreds of later ones are committed."""
    with connection(own_arena.settings, is_autocommit=False) as slow:
        run(
            slow, "INSERT INTO outbox (type, object_id, actor, is_public, data, at) "
            "VALUES ('wallet.opened', 'acc_slow', 'system', true, '{}', now())",
        )  # fmt: skip
        payer.pay_many()
        wait_published(own_arena.app)
        assert query(own_arena.app, "SELECT FROM events WHERE object_id = 'acc_slow'") == []
        slow.commit()
    wait_published(own_arena.app)
    assert len(query(own_arena.app, "SELECT FROM events WHERE object_id = 'acc_slow'")) == 1
    own_arena.assert_sound()
