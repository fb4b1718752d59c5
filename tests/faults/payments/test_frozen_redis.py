"""No provider call depends on Redis: one that hangs, and what it leaves behind when it goes on, make no payment fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
import redis

from app.redis_client import Outage
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import tokens
from launcher.embedded import EmbeddedRedis
from tests.faults.payments.lost_commits import forget_in_redis
from tests.support.gateway import Gateway
from tests.support.waiting import SLACK_S

TOKENS = "provider-token:*"


@contextmanager
def frozen(server: EmbeddedRedis) -> Iterator[None]:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        psutil.Process(server.pid).resume()


def test_a_hanging_redis_fails_no_payment(gateway: Gateway, redis_server: EmbeddedRedis) -> None:
    """Breaks when one of the waits on the way to a provider has no limit, or is waited for again by the next request."""
    forget_in_redis(gateway, TOKENS)
    began = time.monotonic()
    with frozen(redis_server):
        answers = [gateway.initialize(provider) for provider in ("mpesa", "pesapal", "mpesa")]
    assert [answer.status_code for answer in answers] == [201] * 3, [answer.text for answer in answers]
    assert time.monotonic() - began < 0.25 + 0.25 + 0.5 + SLACK_S
    for answer in answers:
        gateway.settle(answer.json()["data"]["id"])


def test_a_lock_that_nobody_releases_fails_no_payment(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process took the lock as Redis hung, and does not know. Breaks when the lock is waited for as long as it lives."""
    monkeypatch.setattr(tokens, "LOCK_WAIT_S", 0.1, raising=False)
    forget_in_redis(gateway, TOKENS)
    with gateway.app.app_context():
        provider = provider_accounts.for_tenant(gateway.tenant_id, "mpesa").provider
    asked: list[str] = []
    store = provider.context.tokens
    monkeypatch.setattr(store, "_outage", Outage("test", "That of the test before is over."))
    real = store._redis.set

    def taken(name: str, *args: object, **options: object) -> object:
        if options.get("nx") and not asked:
            asked.append(name)
            real(name, b"of-no-process", ex=tokens.LOCK_S)
        return real(name, *args, **options)

    monkeypatch.setattr(store._redis, "set", taken)
    answer = gateway.initialize("mpesa")
    assert asked and answer.status_code == 201, answer.text
    gateway.settle(answer.json()["data"]["id"])


def test_one_request_asks_again_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when every request that comes while the first one waits for Redis waits as well."""
    outage, asked = Outage("test", "Nothing."), []

    def hang() -> str:
        asked.append(len(asked))
        if len(asked) == 2:  # others come meanwhile
            assert [outage.attempt(hang, fallback=lambda: "without") for _ in range(3)] == ["without"] * 3
        raise redis.exceptions.TimeoutError

    for _ in range(2):
        assert outage.attempt(hang, fallback=lambda: "without") == "without"
        monkeypatch.setattr(outage, "_paused_until", 0.0)
    assert len(asked) == 2
