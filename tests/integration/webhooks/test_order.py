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

from app import clock
from app.services.webhooks import deliveries, schedule, sending
from app.services.webhooks.connection import Outcome
from app.services.webhooks.deliveries import Claimed
from app.services.webhooks.sending import Sender
from tests.support import database
from tests.support.tenants import MerchantClient
from tests.support.webhooks import Publish, record_events, register, send_due

FAST, SLOW = "http://127.0.0.1:9/fast", "http://127.0.0.1:9/slow"


class Servers:
    """Stands for the merchants' servers: what is sent where, and how long it takes."""

    def __init__(self, **delays_s: float) -> None:
        self.delays_s = delays_s
        self.sent: list[Claimed] = []
        self.times: dict[str, list[float]] = defaultdict(list)
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
        time.sleep(self.delays_s.get(url.rpartition("/")[2], 0))
        with self._lock:
            self._running[url] -= 1
            self.times[url].append(time.monotonic())
        return Outcome(1, status=200 if is_success else 500)


def _servers(monkeypatch: pytest.MonkeyPatch, **delays_s: float) -> Servers:
    servers = Servers(**delays_s)
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


@pytest.mark.parametrize("seed", range(3))
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
    servers = _servers(monkeypatch)
    servers.answers = iter(lambda: chance.random() < 0.6, None)
    register(client, merchant, FAST)
    register(client, merchant, SLOW)
    record_events(app, merchant, objects=3, events=5)
    publish()
    for _ in range(8):
        with app.app_context():
            for claimed in deliveries.claim(8):
                if chance.random() < 0.5:
                    sending.send(claimed)  # it arrives, and the worker is killed
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
    app: Flask, client: FlaskClient, merchant: MerchantClient, publish: Publish, rows: Any
) -> None:
    register(client, merchant, FAST)
    record_events(app, merchant, objects=1, events=3)
    publish()
    with app.app_context():
        (first,) = deliveries.claim(10)
        assert deliveries.claim(10) == ()  # the others wait
        deliveries.finish(first, Outcome(1, status=500), began=clock.now())
        (second,) = deliveries.claim(10)
    seqs = _seqs(rows, merchant)
    assert [seqs[first.id], seqs[second.id]] == sorted(seqs.values())[:2]


def test_two_are_under_way_at_an_endpoint_whichever_processes_send(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
) -> None:
    servers = _servers(monkeypatch, slow=0.01)
    register(client, merchant, SLOW)
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
    assert servers.most[SLOW] == 2 and len(servers.sent) == 24
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
        claimed = [*deliveries.claim(1), *deliveries.claim(10), *deliveries.claim(10)]
    assert len({one.id for one in claimed}) == len(claimed) == 2


def test_a_slow_endpoint_delays_no_other(
    app: Flask,
    client: FlaskClient,
    merchant: MerchantClient,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    servers = _servers(monkeypatch, slow=1.5)
    register(client, merchant, SLOW)
    register(client, merchant, FAST)
    record_events(app, merchant, objects=60, events=1)
    publish()
    sender = Sender(app, threads=8)
    sender.start()
    began = time.monotonic()
    while len(servers.times[FAST]) < 60 and time.monotonic() < began + 30:
        time.sleep(0.01)
    sent_slowly = len(servers.times[SLOW])
    sender._stop.set()
    monkeypatch.setitem(servers.delays_s, "slow", 0)
    sender.stop()
    assert len(servers.times[FAST]) == 60
    assert sent_slowly <= 2 * (1 + (servers.times[FAST][-1] - began) / 1.5)  # two at a time, all the while
