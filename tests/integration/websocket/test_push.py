"""Pushes over Redis: all of a list in one trip, in order, and a clear word when Redis is away."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from app.events.push import Pusher, PushFailed, channel_of, decode, encode
from app.events.push_messages import PushMessage
from launcher.embedded import EmbeddedRedis
from tests.support import servers
from tests.support.waiting import SLACK_S


def message(number: int) -> PushMessage:
    return PushMessage(
        "transaction_update", {"sequence": number, "amount": 10.5}, ("transaction_a", "user_b")
    )


class Listener:
    """A subscriber of the channel."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)
        self._pubsub = self._client.pubsub()
        self._pubsub.subscribe(channel_of(self._client.connection_pool.connection_kwargs))
        assert self._pubsub.get_message(timeout=30) is not None

    def take(self, count: int) -> list[PushMessage]:
        """The next pushes, at least `count`, as they came."""
        found: list[PushMessage] = []
        while len(found) < count:
            received: Any = self._pubsub.get_message(timeout=30)
            assert received is not None, f"only {len(found)} of {count} pushes came"
            found += decode(received["data"])
        return found

    def close(self) -> None:
        self._pubsub.close()
        self._client.close()


@pytest.fixture
def pusher(redis_server: EmbeddedRedis) -> Iterator[Pusher]:
    pusher = Pusher(redis_server.url())
    yield pusher
    pusher.close()


@pytest.fixture
def listener(redis_server: EmbeddedRedis) -> Iterator[Listener]:
    listener = Listener(redis_server.url())
    yield listener
    listener.close()


def test_a_list_arrives_whole_and_in_order(pusher: Pusher, listener: Listener) -> None:
    sent = [message(number) for number in range(1, 1001)]
    pusher.push(sent)
    assert listener.take(1000) == sent


def test_a_thousand_messages_are_five_publishes_on_one_connection(
    redis_server: EmbeddedRedis, pusher: Pusher
) -> None:
    pusher.push([message(1)])
    with redis.Redis.from_url(redis_server.url()) as client:

        def counts() -> tuple[int, int]:
            return client.info("commandstats")["cmdstat_publish"]["calls"], client.info("stats")[
                "total_connections_received"
            ]

        publishes, connections = counts()
        pusher.push([message(number) for number in range(1000)])
        assert counts() == (publishes + 5, connections)


def test_an_empty_list_needs_no_redis() -> None:
    Pusher("redis://127.0.0.1:1").push([])


def test_redis_databases_are_isolated(redis_server: EmbeddedRedis, listener: Listener) -> None:
    neighbour = Pusher(redis_server.url(3))
    own = Pusher(redis_server.url())
    try:
        neighbour.push([message(1)])
        own.push([message(2)])
        assert [push.payload["sequence"] for push in listener.take(1)] == [2]
    finally:
        neighbour.close()
        own.close()


def test_unavailable_redis_is_reported_and_used_again_later() -> None:
    server = servers.new_redis()
    pusher = Pusher(server.url())
    try:
        pusher.push([message(1)])
        server.kill()
        began = time.monotonic()
        with pytest.raises(PushFailed, match="did not take 2 pushes"):
            pusher.push([message(2), message(3)])
        assert time.monotonic() - began < 6 + SLACK_S
        server.start()
        listener = Listener(server.url())
        pusher.push([message(4)])
        assert listener.take(1) == [message(4)]
        listener.close()
    finally:
        pusher.close()
        server.destroy()


@pytest.mark.parametrize("data", [b"", b"nonsense", b"[1]", b'[["e", 5, []]]', b'[["e", {}]]', b"null"])
def test_what_is_no_list_of_pushes_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


def test_a_message_survives_the_way() -> None:
    assert decode(encode([message(7)])) == [message(7)]
    assert json.loads(encode([message(7)]))[0][2] == ["transaction_a", "user_b"]
