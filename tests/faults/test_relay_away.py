"""The relay dead through hours of traffic, a reader who holds an old snapshot: nothing is lost, nobody is stalled.

Seen failing when some of the payments that are published together are not completed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
import requests

from tests.faults.conftest import Arena
from tests.support.database import connection, one, run
from tests.support.factories import Person, balance_of, make_user, make_wallet
from tests.support.soundness import query, wait_published

BATCH, BATCHES = 500, 8


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
        answer = requests.post(f"{self.arena.url}{path}", json=body, headers=self.sender.headers, timeout=20)
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
    usual = sorted(payer.pay() for _ in range(20))
    own_arena.house.kill("relay")
    for _ in range(BATCHES):
        payer.pay_many()
    alone = sorted(payer.pay() for _ in range(20))
    assert alone[18] < 5 * usual[18] + 0.05, "the answers' 95th percentile"
    paid = BATCH * BATCHES + 40
    assert balance_of(own_arena.app, recipient, payer.target) == f"{paid / 100:.2f}", (
        "right before it is folded"
    )
    assert query(own_arena.app, "SELECT count(*) FROM unfolded")[0][0] > BATCH * BATCHES
    # The recipient spends what only waits, which folds it on the way.
    back = Payer(own_arena, recipient, payer.target, payer.source)
    assert back.pay() < 2
    own_arena.house.start("relay")
    wait_published(own_arena.app, timeout_s=20)
    own_arena.assert_sound(timeout_s=1)
    assert balance_of(own_arena.app, recipient, payer.target) == f"{(paid - 1) / 100:.2f}"


@pytest.mark.slow
def test_a_reader_with_an_old_snapshot_stalls_nobody(own_arena: Arena, payer: Payer) -> None:
    """Its snapshot keeps every dead row of the queues alive for twenty seconds; payments stay final within moments."""
    payer.pay()
    with connection(own_arena.settings, is_autocommit=False) as reader:
        run(reader, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL transaction_timeout = 0")
        seen = one(reader, "SELECT count(*) FROM wallet_payments")
        deadline = time.monotonic() + 20
        answers: list[float] = []
        while time.monotonic() < deadline:
            payer.pay_many()
            wait_published(own_arena.app, timeout_s=5)
            answers += [payer.pay() for _ in range(3)]
        assert one(reader, "SELECT count(*) FROM wallet_payments") == seen
    assert sorted(answers)[int(len(answers) * 0.95)] < 1.0
    lags = query(
        own_arena.app, "SELECT extract(epoch FROM completed_at - created_at)::float FROM wallet_payments "
        "WHERE source = :source ORDER BY 1", source=payer.source,
    )  # fmt: skip
    assert len(lags) > 10 * BATCH
    assert lags[int(len(lags) * 0.95)][0] < 2.0
    own_arena.assert_sound()


def test_a_transaction_that_stays_open_delays_its_own_event_only(own_arena: Arena, payer: Payer) -> None:
    """An outbox number is held by an open transaction while hundreds of later ones are committed."""
    with connection(own_arena.settings, is_autocommit=False) as slow:
        run(
            slow, "INSERT INTO outbox (type, object_id, actor, is_public, data, at) "
            "VALUES ('wallet.opened', 'acc_slow', 'system', true, '{}', now())",
        )  # fmt: skip
        payer.pay_many()
        wait_published(own_arena.app, timeout_s=5)
        assert query(own_arena.app, "SELECT FROM events WHERE object_id = 'acc_slow'") == []
        slow.commit()
    wait_published(own_arena.app, timeout_s=3)
    assert len(query(own_arena.app, "SELECT FROM events WHERE object_id = 'acc_slow'")) == 1
    own_arena.assert_sound()
