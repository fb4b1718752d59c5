"""Order for each object, two under way at an endpoint, and no endpoint that waits for another."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app import clock
from app.services.webhooks import deliveries, schedule, sending
from app.services.webhooks.connection import Outcome
from app.services.webhooks.deliveries import Claimed
from app.services.webhooks.sending import Sender
from app.unit_of_work import transaction
from tests.support import database
from tests.support.tenants import MerchantClient
from tests.support.waiting import wait_until
from tests.support.webhooks import Publish, forget_due, record_events, register, send_due

FAST, SLOW = "http://127.0.0.1:9/fast", "http://127.0.0.1:9/slow"


class Servers:
    """Stands for the merchants' servers: what is sent where. The slow one answers when it is `released`."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.sent: list[Claimed] = []
        self.answered: dict[str, int] = defaultdict(int)
        self.most: dict[str, int] = defaultdict(int)
        self.answers: Iterator[bool] = iter(lambda: True, None)
        self._running: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def __call__(self, claimed: Claimed) -> Outcome:
        url = claimed.endpoint.url
        with self._lock:
            self._running[url] += 1
            self.most[url] = max(self.most[url], self._running[url])
            self.sent.append(claimed)
            is_success = next(self.answers)
        if url == SLOW:
            self.released.wait(20)
        else:
            time.sleep(0.001)
        with self._lock:
            self._running[url] -= 1
            self.answered[url] += 1
        return Outcome(1, status=200 if is_success else 500)


@dataclass(frozen=True)
class Queue:
    """What a merchant is to be sent; `servers` stand for `sending.send`."""

    app: Flask
    client: FlaskClient
    merchant: MerchantClient
    servers: Servers
    publish: Publish
    rows: Callable[..., Any]

    def register(self, *urls: str) -> None:
        for url in urls:
            register(self.client, self.merchant, url)

    def fill(self, *, objects: int, events: int) -> None:
        """So many published events of each of so many objects."""
        record_events(self.app, self.merchant, objects=objects, events=events)
        self.publish()

    def send(self) -> int:
        """Send what is due; how many attempts were made."""
        return send_due(self.app)

    @property
    def states(self) -> dict[str, int]:
        found = self._rows(
            "SELECT state, count(*) FROM webhook_deliveries WHERE tenant_id = :t GROUP BY state"
        )
        return dict(found)

    @property
    def seqs(self) -> dict[Any, int]:
        """Of every delivery, by its id."""
        return dict(self._rows("SELECT id, event_seq FROM webhook_deliveries WHERE tenant_id = :t"))

    @property
    def sent(self) -> list[int]:
        """The events' numbers, in the order in which they were sent."""
        seqs = self.seqs
        return [seqs[claimed.id] for claimed in self.servers.sent]

    def lease(self) -> tuple[int, Any]:
        """(how many there were, until when the last one lasts) of the merchant's one endpoint."""
        ((fence, until),) = self._rows(
            "SELECT fence, leased_until FROM webhook_endpoints WHERE tenant_id = :t"
        )
        return fence, until

    def _rows(self, statement: str) -> Any:
        return self.rows(statement, t=self.merchant.tenant_id)


@pytest.fixture
def queue(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    rows: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Queue:
    servers = Servers()
    monkeypatch.setattr(sending, "send", servers)
    return Queue(app, client, merchant, servers, publish, rows)


@pytest.mark.parametrize("seed", range(2))
def test_first_attempts_are_in_order_for_each_object_and_nothing_is_lost(
    seed: int, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Property: whatever fails, and whichever workers are killed between sending and writing it down."""
    chance = random.Random(seed)
    monkeypatch.setattr(schedule, "WAITS_S", (5,) * 30)
    monkeypatch.setattr(deliveries, "BATCH", 4)
    queue.servers.answers = iter(lambda: chance.random() < 0.6, None)
    queue.register(FAST, f"{FAST}/2")
    queue.fill(objects=3, events=5)
    for _ in range(8):
        with queue.app.app_context():
            for run in deliveries.claim(8):
                for lane in run.lanes:
                    # They arrive, and the worker is killed.
                    for claimed in lane[: chance.randrange(len(lane) + 1)]:
                        queue.servers(claimed)
        clock.travel(deliveries.LEASE + timedelta(seconds=1))
        queue.send()
    while queue.send():
        clock.travel(timedelta(seconds=10))
    assert queue.states == {"delivered": 30}
    seqs, first = queue.seqs, defaultdict(list)
    for claimed in queue.servers.sent:
        order = first[claimed.endpoint.id, claimed.event.object_id]
        if seqs[claimed.id] not in order:
            order.append(seqs[claimed.id])
    assert len(first) == 6
    assert all(len(order) == 5 and order == sorted(order) for order in first.values())


def test_an_event_waits_for_the_first_attempt_of_the_one_before_and_not_for_its_success(queue: Queue) -> None:
    queue.servers.answers = iter([False, True, True])
    queue.register(FAST)
    queue.fill(objects=1, events=3)
    assert queue.send() == 3 and queue.servers.most[FAST] == 1
    assert queue.sent == sorted(queue.seqs.values())
    assert queue.states == {"due": 1, "delivered": 2}
    queue.servers.answers = iter(lambda: True, None)
    queue.fill(objects=1, events=1)
    assert queue.send() == 1, "the one that failed is not sent again before its time"


def test_a_killed_worker_repeats_no_more_than_it_had_not_written_down(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_noted, count = list[int](), 2 * sending.NOTED_AT_ONCE + 1

    def send(claimed: Claimed) -> Outcome:
        not_noted.append(len(queue.servers.sent) - queue.states.get("delivered", 0))
        return queue.servers(claimed)

    monkeypatch.setattr(sending, "send", send)
    queue.register(FAST)
    queue.fill(objects=1, events=count)
    queue.send()
    assert len(not_noted) == count and max(not_noted) < sending.NOTED_AT_ONCE
    assert queue.states == {"delivered": count}


def test_a_fault_with_one_event_delays_no_other(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when what was sent before it in the lane is sent again and again."""
    faults = iter([False, False, True, False, False])

    def send(claimed: Claimed) -> Outcome:
        if next(faults):
            raise KeyError("on purpose")
        return queue.servers(claimed)

    monkeypatch.setattr(sending, "send", send)
    queue.register(FAST)
    queue.fill(objects=1, events=5)
    assert queue.send() == 5 and len(queue.servers.sent) == 4
    assert queue.states == {"delivered": 4, "due": 1}


def test_what_cannot_be_written_down_is_not_sent_again_at_once(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the endpoint is released: its server would be sent the same without a pause."""
    finish, faults = deliveries.finish, [RuntimeError("on purpose")]

    def failing_once(*given: Any) -> bool:
        if faults:
            raise faults.pop()
        return finish(*given)

    monkeypatch.setattr(deliveries, "finish", failing_once)
    queue.register(FAST)
    queue.fill(objects=1, events=2)
    queue.send()
    assert len(queue.servers.sent) == 2 and queue.states == {"due": 2}
    clock.travel(deliveries.LEASE + timedelta(seconds=1))
    queue.send()
    assert len(queue.servers.sent) == 4 and queue.states == {"delivered": 2}


def test_a_run_ends_and_the_next_one_goes_on(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what was changed meanwhile is seen, and the lease never ends before its run."""
    monkeypatch.setattr(sending, "RUN_S", 0.01)
    queue.register(FAST)
    queue.fill(objects=1, events=40)
    assert queue.send() == 40 and queue.sent == sorted(queue.seqs.values())
    leases, until = queue.lease()
    assert leases > 1 and until is None


def test_an_endpoint_that_wants_nothing_more_gets_nothing_more(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the rest of its deliveries was claimed before."""
    monkeypatch.setattr(sending, "send", lambda claimed: Outcome(1, status=deliveries.GONE))
    queue.register(FAST)
    queue.fill(objects=1, events=9)
    assert queue.send() == 1
    assert queue.states == {"dead": 1, "cancelled": 8}


def test_two_are_under_way_at_an_endpoint_whichever_processes_send(queue: Queue) -> None:
    queue.register(FAST)
    queue.fill(objects=24, events=1)
    senders = [Sender(queue.app, threads=8) for _ in range(3)]
    threads = [threading.Thread(target=sender.send_due) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.send()
    for sender in senders:
        sender.stop()
    assert queue.servers.most[FAST] == 2 and len(queue.servers.sent) == 24
    assert queue.states == {"delivered": 24}


def test_an_endpoint_that_another_worker_looks_at_is_left_to_it(
    queue: Queue, settings: dict[str, str]
) -> None:
    """Two who looked at once would both send."""
    queue.register(FAST)
    queue.fill(objects=1, events=1)
    with database.connection(settings, is_autocommit=False) as other, queue.app.app_context():
        statement = "SELECT id FROM webhook_endpoints WHERE tenant_id = %s FOR NO KEY UPDATE"
        database.run(other, statement, str(queue.merchant.tenant_id))
        assert deliveries.claim(10) == ()
    with queue.app.app_context():
        assert len(deliveries.claim(10)) == 1


def test_what_is_leased_is_leased_once(queue: Queue) -> None:
    queue.register(FAST)
    queue.fill(objects=3, events=1)
    with queue.app.app_context():
        (run,) = deliveries.claim(10)
        assert [len(lane) for lane in run.lanes] == [2, 1] and deliveries.claim(10) == ()
        deliveries.release(run)
        (again,) = deliveries.claim(1)
        assert [len(lane) for lane in again.lanes] == [3], "one thread sends one lane"
        deliveries.release(run)
        assert deliveries.claim(10) == (), "the first lease is over: its worker cannot end the second"


@pytest.mark.parametrize("failing", [0, 8])
def test_slow_endpoints_leave_threads_to_the_others(failing: int, queue: Queue) -> None:
    """One that works has two of them, and those that fail three quarters, however many they are: here of eight threads, and
    of sixteen."""
    queue.register(SLOW, *[SLOW] * failing, FAST)
    statement = text("""
        UPDATE webhook_endpoints SET failing_since = :now WHERE id IN (
          SELECT id FROM webhook_endpoints WHERE tenant_id = :t AND url = :u ORDER BY id DESC LIMIT :count)
    """)
    values = {"now": clock.now(), "t": queue.merchant.tenant_id, "u": SLOW, "count": failing}
    with queue.app.app_context():
        transaction(lambda session: session.execute(statement, values))
    queue.fill(objects=30, events=1)
    sender = Sender(queue.app, threads=8 if failing == 0 else 16)
    sender.start()
    answered = queue.servers.answered
    try:
        wait_until(lambda: answered[FAST] == 30, "the fast ones, while the slow ones hang", timeout_s=10)
        assert answered[SLOW] == 0
    finally:
        forget_due(queue.app)
        queue.servers.released.set()
        sender.stop()
