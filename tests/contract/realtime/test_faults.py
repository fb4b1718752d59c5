"""Redis comes and goes, processes are killed: later pushes arrive, and those of the time between are made up for."""

from __future__ import annotations

import redis

from launcher.embedded import EmbeddedRedis
from tests.contract.realtime.conftest import Payer
from tests.support.realtime import python_client
from tests.support.stack import Stack
from tests.support.waiting import wait_until

STEPS = ["pending", "completed"]


def test_a_flushed_redis_loses_nothing(payer: Payer, url: str, stack_redis: EmbeddedRedis) -> None:
    with (
        python_client(url, payer.sender.access_token) as client,
        redis.Redis.from_url(stack_redis.url()) as connection,
    ):
        first = payer.pay()
        connection.flushall()
        second = payer.pay()
        assert client.received.wait_for_steps(first) == STEPS
        assert client.received.wait_for_steps(second) == STEPS


def test_pushes_during_a_redis_outage_arrive_afterwards(
    payer: Payer, url: str, stack_redis: EmbeddedRedis
) -> None:
    with python_client(url, payer.recipient.access_token) as client:
        client.received.wait_for_steps(payer.pay())
        stack_redis.kill()
        during = [payer.pay() for _ in range(3)]
        stack_redis.start()
        later = payer.pay()
        for payment_id in [*during, later]:
            assert client.received.wait_for_steps(payment_id) == STEPS
        assert client.connected


def test_a_quick_restart_of_redis_loses_nothing(payer: Payer, url: str, stack_redis: EmbeddedRedis) -> None:
    """The relay may publish to the new Redis before the servers listen to it again."""
    with python_client(url, payer.recipient.access_token) as client:
        client.received.wait_for_steps(payer.pay())
        payments = []
        for _ in range(3):
            stack_redis.kill()
            stack_redis.start()
            payments += [payer.pay() for _ in range(5)]
        for payment_id in payments:
            assert client.received.wait_for_steps(payment_id) == STEPS


def test_clients_can_subscribe_during_a_redis_outage(
    payer: Payer, url: str, stack_redis: EmbeddedRedis
) -> None:
    with python_client(url, payer.sender.access_token) as client:
        payment_id = payer.pay()
        client.received.wait_for_steps(payment_id)
        stack_redis.kill()
        try:
            with python_client(url) as newcomer:
                newcomer.subscribe(payment_id)
                assert newcomer.received.wait_for_steps(payment_id) == ["completed"]
        finally:
            stack_redis.start()


def test_clients_reconnect_after_the_server_is_killed(payer: Payer, stack: Stack, url: str) -> None:
    name = "web" if url == stack.url else "realtime"
    with python_client(url, payer.sender.access_token) as client:
        stack.kill(name)
        wait_until(lambda: not client.connected, "the client to notice")
        stack.start(name)
        client.received.wait_for("connected", 2, timeout_s=60)
        assert client.received.wait_for_steps(payer.pay()) == STEPS
