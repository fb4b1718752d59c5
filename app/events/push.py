"""Pushes on their way to the processes that hold Socket.IO clients, over one Redis channel.

Best effort: the event log is the record. A client that must not miss an event reads the log (the relay pushes
again what did not get through; a server reads what it missed when it finds the channel again).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson
from redis.exceptions import RedisError

from app.events.push_messages import PushMessage
from app.redis_client import connect

MESSAGES_PER_PUBLISH: Final = 200
"""Messages in one PUBLISH, about 120 kB; a longer list is more PUBLISHes in the same round trip."""

TIMEOUT_S: Final = 2.0
"""How long Redis may take to accept a connection or to answer, seconds."""


class PushFailed(Exception):
    """Redis did not take the pushes. All, some or none of them may have arrived: push the same list again."""


def channel_of(connection_arguments: dict[str, Any]) -> str:
    """The channel's name. Redis channels are common to all its databases, so the database's number is part of it."""
    return f"malipo:push:{connection_arguments.get('db', 0)}"


def encode(messages: Sequence[PushMessage]) -> bytes:
    return orjson.dumps([(message.event, message.payload, message.rooms) for message in messages])


def decode(data: bytes) -> list[PushMessage]:
    """Raises ValueError for anything that `encode` did not make."""
    try:
        return [
            PushMessage(event, dict(payload), tuple(rooms)) for event, payload, rooms in orjson.loads(data)
        ]
    except TypeError as error:
        raise ValueError(f"not a list of pushes: {error}") from error


class Pusher:
    """Publishes; holds one connection, made when needed and again after a fault. Not for several threads."""

    def __init__(self, redis_url: str) -> None:
        self._redis = connect(redis_url, timeout_s=TIMEOUT_S, max_connections=1)
        self._channel = channel_of(self._redis.connection_pool.connection_kwargs)

    def push(self, messages: Sequence[PushMessage]) -> None:
        """Send all of them, in order, in one round trip. Raises PushFailed."""
        if not messages:
            return
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for chunk in _chunks(messages):
                    pipeline.publish(self._channel, encode(chunk))
                pipeline.execute()
        except (RedisError, OSError) as error:
            raise PushFailed(
                f"Redis did not take {len(messages)} pushes ({type(error).__name__})."
            ) from error

    def close(self) -> None:
        """Close the connection; a later push opens another."""
        self._redis.close()


def _chunks(messages: Sequence[PushMessage]) -> Iterator[Sequence[PushMessage]]:
    for start in range(0, len(messages), MESSAGES_PER_PUBLISH):
        yield messages[start : start + MESSAGES_PER_PUBLISH]
