"""Rate limits of the Processing API: exact for each key over all processes, and shown on every answer to a valid key."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.services.demo.objects import ADMIN_KEY, READ_ONLY_KEY, STANDARD_KEY
from tests.integration.processing.conftest import Caller

NAMES = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@pytest.fixture(autouse=True)
def fresh_counters(admin: Caller) -> Iterator[None]:
    """The demo's keys have used nothing of their limits, before a test and after it."""
    assert admin.post("/test/reset").status_code == 200
    yield
    admin.post("/test/reset")


def _numbers(answer: Any) -> tuple[int, int, int]:
    limit, remaining, reset = (int(answer.headers[name]) for name in NAMES)
    return limit, remaining, reset


@pytest.mark.parametrize(("key", "limit"), [(STANDARD_KEY, 100), (ADMIN_KEY, 500), (READ_ONLY_KEY, 50)])
def test_the_demos_keys_have_the_limits_of_their_own(demo: Flask, key: str, limit: int) -> None:
    caller = Caller(demo.test_client(), key)
    began = time.time()
    for used in (1, 2):
        shown, remaining, reset = _numbers(caller.get("/payments"))
        assert (shown, remaining) == (limit, limit - used)
        assert began + 59 <= reset <= time.time() + 61


def test_what_counts(standard: Caller) -> None:
    """Refused and failed payments count; what is not /v1/payments does not, and shows the window."""
    for answer in (
        standard.pay(),
        standard.pay(amount=13),
        standard.pay(amount=0),
        standard.get("/payments/pay_1"),
    ):
        remaining = _numbers(answer)[1]
    assert remaining == 96
    assert _numbers(standard.post("/test/reset"))[1] == 96, "refused: no permission; not counted"
    assert NAMES[0] not in standard.get("/health").headers
    assert _numbers(standard.get("/payments"))[1] == 95


def test_four_processes_and_32_clients_get_exactly_the_limit(
    demo: Flask, demo_settings: dict[str, str]
) -> None:
    apps = [demo, *(create_app(demo_settings) for _ in range(3))]
    others = Caller(demo.test_client(), STANDARD_KEY)

    def ask(number: int) -> list[Any]:
        caller = Caller(apps[number % 4].test_client(), READ_ONLY_KEY)
        return [caller.get("/payments?per_page=1") for _ in range(4)]

    with ThreadPoolExecutor(32) as pool:
        answers = [answer for found in pool.map(ask, range(32)) for answer in found]
    assert Counter(answer.status_code for answer in answers) == {200: 50, 429: 78}
    left = sorted(_numbers(answer)[1] for answer in answers if answer.status_code == 200)
    assert left[0] == 0
    refused = next(answer for answer in answers if answer.status_code == 429)
    error = refused.json["error"]
    assert (error["type"], error["status"]) == ("rate_limit_error", 429)
    assert 1 <= error["retry_after"] <= 60 and refused.headers["Retry-After"] == str(error["retry_after"])
    assert _numbers(refused)[1] == 0
    assert _numbers(others.get("/payments"))[:2] == (100, 99), "another key of the tenant has its own"
    assert Caller(demo.test_client(), READ_ONLY_KEY).get("/health").status_code != 429


def test_without_redis_each_process_counts(demo_settings: dict[str, str]) -> None:
    app = create_app(demo_settings | {"REDIS_URL": "redis://127.0.0.1:1/0"})
    caller = Caller(app.test_client(), READ_ONLY_KEY)
    statuses = [caller.get("/payments?per_page=1").status_code for _ in range(52)]
    assert Counter(statuses) == {200: 50, 429: 2}


def test_a_key_without_a_limit_of_its_own_has_the_settings(shop: Caller) -> None:
    assert _numbers(shop.get("/payments"))[:2] == (100_000, 99_999)
    assert replace(shop).get("/payments").headers[NAMES[1]] == "99998"
