"""Order for each object, two under way at an endpoint, and no endpoint that waits for another."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
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


def _servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers()
    monkeypatch.setattr(sending, "send", servers)
    return servers


def _states(rows: Any, merchant: MerchantClient) -> dict[str, int]:
    return dict(
        rows(
            "SELECT state, count(*) FROM webhook_deliveries WHERE tenant_id = :t GROUP BY state",
            t=merchant.tenant_id,
        )
    )


def _seqs(rows: Any, merchant: MerchantClient) -> dict[Any, int]:
    return dict(
        rows("SELECT id, event_seq FROM webhook_deliveries WHERE tenant_id = :t", t=merchant.tenant_id)
    )


@pytest.mark.parametrize("seed", range(2))
def test_first_attempts_are_in_order_for_each_object_and_nothing_is_lost(
    seed: int,
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    """Property: whatever fails, and whichever workers are killed between sending and writing it down."""
    chance = random.Random(seed)
    monkeypatch.setattr(schedule, "WAITS_S", (5,) * 30)
    monkeypatch.setattr(deliveries, "BATCH", 4)
    servers = _servers(monkeypatch)
    servers.answers = iter(lambda: chance.random() < 0.6, None)
    for url in (FAST, f"{FAST}/2"):
        register(client, merchant, url)
    record_events(app, merchant, objects=3, events=5)
    publish()
    for _ in range(8):
        with app.app_context():
            for run in deliveries.claim(8):
                for lane in run.lanes:
                    # They arrive, and the worker is killed.
                    for claimed in lane[: chance.randrange(len(lane) + 1)]:
                        sending.send(claimed)
        clock.travel(deliveries.LEASE + timedelta(seconds=1))
        send_due(app)
    while send_due(app):
        clock.travel(timedelta(seconds=10))
    assert _states(rows, merchant) == {"delivered": 30}
    seqs, first = _seqs(rows, merchant), defaultdict(list)
    for claimed in servers.sent:
        order = first[claimed.endpoint.id, claimed.event.object_id]
        if seqs[claimed.id] not in order:
            order.append(seqs[claimed.id])
    assert len(first) == 6
    assert all(len(order) == 5 and order == sorted(order) for order in first.values())


def test_an_event_waits_for_the_first_attempt_of_the_one_before_and_not_for_its_success(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    servers = _servers(monkeypatch)
    servers.answers = iter([False, True, True])
    register(client, merchant, FAST)
    record_events(app, merchant, objects=1, events=3)
    publish()
    assert send_due(app) == 3 and servers.most[FAST] == 1
    seqs = _seqs(rows, merchant)
    assert [seqs[one.id] for one in servers.sent] == sorted(seqs.values())
    assert _states(rows, merchant) == {"due": 1, "delivered": 2}
    servers.answers = iter(lambda: True, None)
    record_events(app, merchant, objects=1, events=1)
    publish()
    assert send_due(app) == 1, "the one that failed is not sent again before its time"


def test_a_killed_worker_repeats_no_more_than_it_had_not_written_down(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    servers, not_noted = _servers(monkeypatch), list[int]()

    def send(claimed: Claimed) -> Outcome:
        not_noted.append(len(servers.sent) - _states(rows, merchant).get("delivered", 0))
        return servers(claimed)

    monkeypatch.setattr(sending, "send", send)
    register(client, merchant, FAST)
    record_events(app, merchant, objects=1, events=2 * sending.NOTED_AT_ONCE + 1)
    publish()
    send_due(app)
    assert len(not_noted) == 2 * sending.NOTED_AT_ONCE + 1 and max(not_noted) < sending.NOTED_AT_ONCE
    assert _states(rows, merchant) == {"delivered": len(not_noted)}


def test_a_fault_with_one_event_delays_no_other(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    """Breaks when what was sent before it in the lane is sent again and again."""
    servers, calls = Servers(), list[Claimed]()

    def send(claimed: Claimed) -> Outcome:
        calls.append(claimed)
        if len(calls) == 3:
            raise KeyError("on purpose")
        return servers(claimed)

    monkeypatch.setattr(sending, "send", send)
    register(client, merchant, FAST)
    record_events(app, merchant, objects=1, events=5)
    publish()
    assert send_due(app) == 5 and len(servers.sent) == 4
    assert _states(rows, merchant) == {"delivered": 4, "due": 1}


def test_what_cannot_be_written_down_is_not_sent_again_at_once(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    """Breaks when the endpoint is released: its server would be sent the same without a pause."""
    servers, finish, faults = _servers(monkeypatch), deliveries.finish, [RuntimeError("on purpose")]

    def failing_once(*given: Any) -> bool:
        if faults:
            raise faults.pop()
        return finish(*given)

    monkeypatch.setattr(deliveries, "finish", failing_once)
    register(client, merchant, FAST)
    record_events(app, merchant, objects=1, events=2)
    publish()
    send_due(app)
    assert len(servers.sent) == 2 and _states(rows, merchant) == {"due": 2}
    clock.travel(deliveries.LEASE + timedelta(seconds=1))
    send_due(app)
    assert len(servers.sent) == 4 and _states(rows, merchant) == {"delivered": 2}


def test_a_run_ends_and_the_next_one_goes_on(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    """So that what was changed meanwhile is seen, and the lease never ends before its run."""
    monkeypatch.setattr(sending, "RUN_S", 0.01)
    servers = _servers(monkeypatch)
    register(client, merchant, FAST)
    record_events(app, merchant, objects=1, events=40)
    publish()
    assert send_due(app) == 40
    seqs = _seqs(rows, merchant)
    assert [seqs[one.id] for one in servers.sent] == sorted(seqs.values())
    ((leases, leased_until),) = rows(
        "SELECT fence, leased_until FROM webhook_endpoints WHERE tenant_id = :t", t=merchant.tenant_id
    )
    assert leases > 1 and leased_until is None


def test_an_endpoint_that_wants_nothing_more_gets_nothing_more(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    """Although the rest of its deliveries was claimed before."""
    servers = Servers()
    monkeypatch.setattr(
        sending, "send", lambda claimed: servers(claimed) and Outcome(1, status=deliveries.GONE)
    )
    register(client, merchant, FAST)
    record_events(app, merchant, objects=1, events=9)
    publish()
    assert send_due(app) == 1
    assert _states(rows, merchant) == {"dead": 1, "cancelled": 8}


def test_two_are_under_way_at_an_endpoint_whichever_processes_send(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    servers = _servers(monkeypatch)
    register(client, merchant, FAST)
    record_events(app, merchant, objects=24, events=1)
    publish()
    senders = [Sender(app, threads=8) for _ in range(3)]
    threads = [threading.Thread(target=sender.send_due) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send_due(app)
    for sender in senders:
        sender.stop()
    assert servers.most[FAST] == 2 and len(servers.sent) == 24
    assert _states(rows, merchant) == {"delivered": 24}


def test_an_endpoint_that_another_worker_looks_at_is_left_to_it(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    settings: dict[str, str],
) -> None:
    """Two who counted at once what is under way would both send."""
    register(client, merchant, FAST)
    record_events(app, merchant, objects=1, events=1)
    publish()
    with database.connection(settings, is_autocommit=False) as other, app.app_context():
        statement = "SELECT id FROM webhook_endpoints WHERE tenant_id = %s FOR NO KEY UPDATE"
        database.run(other, statement, str(merchant.tenant_id))
        assert deliveries.claim(10) == ()
    with app.app_context():
        assert len(deliveries.claim(10)) == 1


def test_what_is_leased_is_leased_once(
    app: Flask, client: FlaskClient, merchant: MerchantClient, publish: Publish
) -> None:
    register(client, merchant, FAST)
    record_events(app, merchant, objects=3, events=1)
    publish()
    with app.app_context():
        (run,) = deliveries.claim(10)
        assert [len(lane) for lane in run.lanes] == [2, 1] and deliveries.claim(10) == ()
        deliveries.release(run)
        (again,) = deliveries.claim(1)
        assert [len(lane) for lane in again.lanes] == [3], "one thread sends one lane"
        deliveries.release(run)
        assert deliveries.claim(10) == (), "the first lease is over: its worker cannot end the second"


@pytest.mark.parametrize("failing", [0, 8])
def test_slow_endpoints_leave_threads_to_the_others(
    failing: int,
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that works has two of them, and those that fail three quarters, however many they are: here of eight threads, and
    of sixteen."""
    servers = _servers(monkeypatch)
    for url in (SLOW, *[SLOW] * failing, FAST):
        register(client, merchant, url)
    statement = text("""
        UPDATE webhook_endpoints SET failing_since = :now WHERE id IN (
          SELECT id FROM webhook_endpoints WHERE tenant_id = :t AND url = :u ORDER BY id DESC LIMIT :count)
    """)
    values = {"now": clock.now(), "t": merchant.tenant_id, "u": SLOW, "count": failing}
    with app.app_context():
        transaction(lambda session: session.execute(statement, values))
    record_events(app, merchant, objects=30, events=1)
    publish()
    sender = Sender(app, threads=8 if failing == 0 else 16)
    sender.start()
    try:
        wait_until(
            lambda: servers.answered[FAST] == 30, "the fast ones, while the slow ones hang", timeout_s=10
        )
        assert servers.answered[SLOW] == 0
    finally:
        forget_due(app)
        servers.released.set()
        sender.stop()
