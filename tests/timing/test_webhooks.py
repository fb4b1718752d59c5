"""Two thousand events for three merchants' servers: one that answers at once, one that fails half of the time, one that hangs. In the
middle the worker and the relay are killed, and Redis is flushed.

Real processes. What single rules of sending break is tested in tests/integration/webhooks.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from sqlalchemy.orm import Session

from app import clock, ids
from app.events import outbox
from app.events.catalogue import EventType
from app.principal import SYSTEM
from app.unit_of_work import transaction
from launcher.embedded import EmbeddedRedis
from tests.support.full_stack import FullStack, running_full_stack
from tests.support.waiting import wait_until
from tests.support.webhooks import Receiver, register, verified

WARM, HEALTHY, IN_ALL = 40, 400, 2000
"""Events in the log when everything has been used once, when the processes begin to be killed, and at the end."""

OBJECTS = 100
PER_SECOND = {"healthy": 80.0, "with faults": 250.0}
BEHIND_S = 0.5
HANGS_S = 60.0


@pytest.fixture
def full_stack(redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[FullStack]:
    with running_full_stack(redis_server, tmp_path) as running:
        yield running


class Writer:
    """Commits events of the merchant, each in a transaction of its own. committed: when, in the order of the log."""

    def __init__(self, stack: FullStack) -> None:
        self._stack = stack
        self._chance = random.Random(7)
        self._objects = [str(ids.uuid7()) for _ in range(OBJECTS)]
        self.committed: list[float] = []

    def write(self, until: int, per_second: float) -> None:
        began, before = time.monotonic(), len(self.committed)
        with self._stack.app.app_context():
            while len(self.committed) < until:
                time.sleep(max(0.0, began + (len(self.committed) - before) / per_second - time.monotonic()))
                transaction(self._record)
                self.committed.append(time.monotonic())

    def _record(self, session: Session) -> None:
        outbox.record(
            session,
            EventType.ORDER_CREATED,
            object_id=self._chance.choice(self._objects),
            data={"amount_minor": 100, "currency": "USD", "reference": None, "customer_id": "c"},
            now=clock.now(),
            actor=SYSTEM,
            tenant_id=self._stack.merchant.tenant_id,
        )


def _logged(stack: FullStack) -> list[tuple[str, str]]:
    """(webhook-id, object) of every event, in the order of the log."""
    rows = stack.query(
        "SELECT 'evt_' || encode(substring(hmac FOR 12), 'hex') AS public_id, object_id FROM events "
        "WHERE tenant_id = :t AND type = 'order.created' ORDER BY seq",
        t=stack.merchant.tenant_id,
    )
    return [(row.public_id, row.object_id) for row in rows]


def _first_arrivals(receiver: Receiver) -> dict[str, float]:
    """webhook-id → when it came first, in that order."""
    found: dict[str, float] = {}
    for came, at in zip(receiver.received, receiver.arrived, strict=False):
        found.setdefault(came.headers["webhook-id"], at)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_webhooks_arrive_whatever_is_killed(full_stack: FullStack, redis_server: EmbeddedRedis) -> None:
    client, writer = full_stack.app.test_client(), Writer(full_stack)
    with ExitStack() as open_ones:
        fast, failing, hanging = (
            open_ones.enter_context(one)
            for one in (Receiver(), Receiver(*[200, 500] * IN_ALL), Receiver(delay_s=HANGS_S))
        )
        secret, *_ = (
            register(client, full_stack.merchant, one.url)["secret"] for one in (fast, failing, hanging)
        )
        for until in (WARM, HEALTHY):
            writer.write(until, PER_SECOND["healthy"])
            wait_until(lambda n=until: len(_first_arrivals(fast)) == n, "the events, while all is well")
        behind = _behind(full_stack, writer, fast)[WARM:]
        _with_faults(full_stack, writer, redis_server)
        for receiver in (fast, failing):
            wait_until(lambda one=receiver: len(_first_arrivals(one)) == IN_ALL, "every event", timeout_s=120)
        assert hanging.received
    _assert_complete_and_in_order(full_stack, fast)
    _assert_complete_and_in_order(full_stack, failing)
    assert all(verified(came, secret)["id"] == came.headers["webhook-id"] for came in fast.received)
    assert statistics.quantiles(behind, n=20, method="inclusive")[-1] < BEHIND_S, sorted(behind)[-30:]


def _behind(stack: FullStack, writer: Writer, receiver: Receiver) -> list[float]:
    """Seconds from commit to arrival."""
    arrived = _first_arrivals(receiver)
    return [
        arrived[event] - at for (event, _), at in zip(_logged(stack), list(writer.committed), strict=True)
    ]


def _with_faults(stack: FullStack, writer: Writer, redis_server: EmbeddedRedis) -> None:
    """The rest of the events, while the processes that send them are killed and started again."""
    writing = threading.Thread(target=writer.write, args=(IN_ALL, PER_SECOND["with faults"]))
    writing.start()
    try:
        for name in ("worker", "relay"):
            time.sleep(1)
            stack.processes.kill(name)
            with redis.Redis.from_url(redis_server.url()) as server:
                server.flushall()
            stack.processes.start(name)
    finally:
        writing.join()
    assert len(writer.committed) == IN_ALL


def _assert_complete_and_in_order(stack: FullStack, receiver: Receiver) -> None:
    """Every event, those of an object in the order of the log, and a repeat with the same bytes."""
    logged = _logged(stack)
    assert set(_first_arrivals(receiver)) == {event for event, _ in logged}
    objects, expected, found = dict(logged), defaultdict(list), defaultdict(list)
    for event, object_id in logged:
        expected[object_id].append(event)
    for event in _first_arrivals(receiver):
        found[objects[event]].append(event)
    assert found == expected
    bodies = defaultdict(set)
    for came in receiver.received:
        bodies[came.headers["webhook-id"]].add(came.body)
    assert {len(one) for one in bodies.values()} == {1}
