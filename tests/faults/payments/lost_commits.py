"""Commits whose acknowledgement is lost, and processes that stall at a critical moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest
import redis
from sqlalchemy import Connection, text

from app import unit_of_work
from tests.support.gateway import Gateway


@dataclass
class LostCommits:
    """How many acknowledgements were lost; a test that lost none proves nothing."""

    count: int = 0
    errors: list[BaseException] = field(default_factory=list)


def lose_acknowledgement(
    monkeypatch: pytest.MonkeyPatch,
    condition: str,
    *,
    meanwhile: Callable[[], None] = lambda: None,
    **values: object,
) -> LostCommits:
    """The first commit that makes `condition` (an SQL expression) true is made; then its connection is gone.

    meanwhile: runs between the commit and the moment the caller notices that its connection is gone.
    """
    lost, one_at_a_time = LostCommits(), threading.Lock()
    execute = unit_of_work._execute

    def losing(connection: Connection, statement: str) -> Any:
        is_it = False
        if statement == "COMMIT":
            with one_at_a_time:  # a callback may be stored at the same moment
                is_it = not lost.count and bool(connection.scalar(text(f"SELECT {condition}"), values))
                lost.count += is_it
        cursor = execute(connection, statement)
        if is_it:
            connection.invalidate()
            meanwhile()
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return cursor

    monkeypatch.setattr(unit_of_work, "_execute", losing)
    return lost


def stall(
    monkeypatch: pytest.MonkeyPatch, reader: tuple[Any, str], meanwhile: Callable[[], None], *, has_read: bool
) -> None:
    """The next sender stops between its commit and its call, for as long as `meanwhile` takes.

    reader: the function that reads the row to send, as its owner and name. has_read: it had read the attempt before it stopped, and goes on with what it knew then.
    """
    real: Callable[..., Any] = getattr(*reader)
    stalled: list[bool] = []

    def read(row_id: object) -> Any:
        if stalled:
            return real(row_id)
        stalled.append(True)
        known = real(row_id) if has_read else None
        meanwhile()
        return known or real(row_id)

    monkeypatch.setattr(*reader, read)


def forget_in_redis(gateway: Gateway, pattern: str) -> None:
    """Delete the keys of Redis that match: tokens, or how providers have answered."""
    connection: Any = redis.Redis.from_url(gateway.app.config["REDIS_URL"])
    try:
        for key in connection.scan_iter(match=pattern):
            connection.delete(key)
    finally:
        connection.close()


def count(calls: list[str], monkeypatch: pytest.MonkeyPatch, provider: Any, name: str) -> None:
    """Note each call of an adapter's method in `calls`; the call itself is the real one."""
    real = getattr(provider, name)

    def noted(request: Any) -> Any:
        calls.append(name)
        return real(request)

    monkeypatch.setattr(provider, name, noted)
