"""Redis flushed, killed, frozen and restarted under load: it carries hints only, so nothing is lost or doubled.

Seen failing with a rate limiter that raises Redis' errors, and with a dispatch that waits for a frozen broker.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
import requests

from app.events import push
from launcher.embedded import EmbeddedRedis
from tests.faults.conftest import StackWithApp
from tests.support.database import connection, run
from tests.support.factories import make_user, make_wallet
from tests.support.invariants import query, wait_published
from tests.support.simultaneous_requests import Call, send_simultaneously
from tests.support.waiting import SLACK_S, wait_until
from tests.support.wallet_load import WalletLoad


@pytest.mark.slow
def test_wallet_load_continues_during_a_redis_outage(
    own_stack: StackWithApp, own_redis: EmbeddedRedis, tmp_path: Path
) -> None:
    load = WalletLoad(own_stack.app, own_stack.url, tmp_path, users=5)
    with load.running(least=15):
        own_stack.wait_for_more_payments(20)
        with redis.Redis.from_url(own_redis.url()) as client:
            client.flushall()
        own_stack.wait_for_more_payments(20)
        own_redis.kill()
        own_stack.wait_for_more_payments(20)
        own_redis.start()
    assert load.statuses.keys() <= {200, 201, 400}, "the outage is not visible to clients"
    assert load.failed_connections == 0
    wait_published(own_stack.app)
    own_stack.assert_invariants(timeout_s=1)
    load.assert_answers_match_ledger()
    wait_until(lambda: _pushed_through(own_stack) == _last_event(own_stack), "every push")


@contextmanager
def suspended(pid: int) -> Iterator[None]:
    """The process and its children stand still."""
    process = psutil.Process(pid)
    tree = [process, *process.children(recursive=True)]
    for one in tree:
        one.suspend()
    try:
        yield
    finally:
        for one in tree:
            one.resume()


def test_pushes_during_a_redis_outage_are_sent_afterwards(
    own_stack: StackWithApp, own_redis: EmbeddedRedis
) -> None:
    """A listener on the channel gets every event, in order; those of the gap when Redis is back."""
    sender = make_user(own_stack.app)
    source, target = (
        make_wallet(own_stack.app, sender, balance="100"),
        make_wallet(own_stack.app, make_user(own_stack.app)),
    )
    call = Call(
        "/api/v1/payments",
        {"amount": 1, "source_wallet_id": source, "destination": target},
        sender.access_token,
    )
    own_redis.kill()
    assert {answer.status for answer in send_simultaneously(own_stack.url, [call] * 5)} == {201}
    wait_published(own_stack.app)
    time.sleep(0.3)  # so that the relay has tried in vain at least once
    # It pushes as soon as Redis is back, and what is published before the listener has subscribed reaches no listener.
    with suspended(own_stack.processes.pid("relay")):
        own_redis.start()
        client = redis.Redis.from_url(own_redis.url())
        listener = client.pubsub()
        listener.subscribe(push.channel_of(client.connection_pool.connection_kwargs))
        assert listener.get_message(timeout=SLACK_S)
    with client, listener:
        received: list[tuple[str, int]] = []

        def listen() -> bool:
            message = listener.get_message(ignore_subscribe_messages=True, timeout=0.05)
            if message:
                received.extend(
                    (m.payload["event_type"], m.payload["sequence"]) for m in push.decode(message["data"])
                )
            return len(received) >= 12

        send_simultaneously(own_stack.url, [call])
        wait_until(listen, "pushes of six payments")
    sequences = [sequence for _, sequence in received]
    assert sequences == sorted(sequences)
    assert len(set(sequences)) == 12
    own_stack.assert_invariants()


def test_hanging_redis_delays_requests_only_briefly(
    own_stack: StackWithApp, own_redis: EmbeddedRedis
) -> None:
    """Not dead but frozen: REST answers within moments and payments become final, though a job waits for the broker.

    Breaks when a push, a rate limit or a dispatch waits for Redis without a time-out.
    """
    sender = make_user(own_stack.app)
    source, target = (
        make_wallet(own_stack.app, sender, balance="100"),
        make_wallet(own_stack.app, make_user(own_stack.app)),
    )
    body = {"amount": 1, "source_wallet_id": source, "destination": target}

    def pay() -> float:
        """Seconds until the answer."""
        began = time.monotonic()
        answer = requests.post(
            f"{own_stack.url}/api/v1/payments", json=body, headers=sender.headers, timeout=30
        )
        assert answer.status_code == 201
        return time.monotonic() - began

    usual = statistics.median(pay() for _ in range(8))
    assert own_redis.pid is not None
    os.kill(own_redis.pid, signal.SIGSTOP)
    with connection(own_stack.settings) as opened:
        run(
            opened,
            "INSERT INTO jobs (id, kind, ref, run_at, attempts, fence, state, created_at) "
            "VALUES (gen_random_uuid(), 'kyc.verify', 'x', now() - interval '1 day', 0, 0, 'due', now())",
        )
    try:
        frozen = [pay() for _ in range(8)]
        # Each web worker asks in vain once in a while (app/rate_limits.py); all others are as quick as ever.
        assert statistics.median(frozen) < 5 * usual + 0.5
        assert max(frozen) < 2.5 + SLACK_S
        wait_published(own_stack.app, timeout_s=12 + SLACK_S)
    finally:
        psutil.Process(own_redis.pid).resume()
    own_stack.assert_invariants()


def _pushed_through(race_stack: StackWithApp) -> int:
    number: int = query(race_stack.app, "SELECT pushed_through FROM relay_state")[0][0]
    return number


def _last_event(race_stack: StackWithApp) -> int:
    number: int = query(race_stack.app, "SELECT max(seq) FROM events")[0][0]
    return number
