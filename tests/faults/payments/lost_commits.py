"""Commits whose acknowledgement is lost, and processes that stall at a critical moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest
import redis
from sqlalchemy import Connection, PoolProxiedConnection, text
from sqlalchemy.dialects import postgresql

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
    execute, row = unit_of_work._execute, unit_of_work._row

    def is_it(check: Callable[[], Any]) -> bool:
        with one_at_a_time:  # a callback may be stored at the same moment
            found = not lost.count and bool(check())
            lost.count += found
        return found

    def losing(connection: Connection, statement: str) -> Any:
        is_lost = statement == "COMMIT" and is_it(
            lambda: connection.scalar(text(f"SELECT {condition}"), values)
        )
        cursor = execute(connection, statement)
        if is_lost:
            connection.invalidate()
            meanwhile()
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return cursor

    def losing_row(connection: PoolProxiedConnection, statement: str, arguments: tuple[Any, ...]) -> Any:
        found = row(connection, statement, arguments)
        compiled = (
            text(f"SELECT {condition}").bindparams(**values).compile(dialect=postgresql.psycopg2.dialect())
        )
        if "write_set_apply" in statement and is_it(
            lambda: row(connection, str(compiled), compiled.params)[0]  # type: ignore[arg-type]
        ):
            connection.invalidate()
            meanwhile()
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        return found

    monkeypatch.setattr(unit_of_work, "_execute", losing)
    monkeypatch.setattr(unit_of_work, "_row", losing_row)
    return lost


def stall(monkeypatch: pytest.MonkeyPatch, caller: tuple[Any, str], meanwhile: Callable[[], None]) -> None:
    """The next sender stops between its commit and its call, for as long as `meanwhile` takes; then it goes on with what it
    knew before.

    caller: the function that calls the provider, as its owner and name.
    """
    real: Callable[..., Any] = getattr(*caller)
    stalled: list[bool] = []

    def call(*known: Any) -> Any:
        if not stalled:
            stalled.append(True)
            meanwhile()
        return real(*known)

    monkeypatch.setattr(*caller, call)


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
