"""`GET /v1/webhooks/events`: a tenant's events, the newest or those behind a number; none is missed, none comes twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services.webhooks.event_waits import EventWaits
from tests.support.tenants import MerchantClient, make_merchant
from tests.support.webhooks import Publish, Receiver, record_events, register, simulate

PATH = "/v1/webhooks/events"

Get = Callable[..., dict[str, Any]]


@pytest.fixture
def get(app: Flask, merchant: MerchantClient) -> Get:
    def ask(query: str = "", *, of: MerchantClient | None = None) -> dict[str, Any]:
        answer = app.test_client().get(f"{PATH}{query}", headers=(of or merchant).bearer)
        assert answer.status_code == 200, answer.data
        body: dict[str, Any] = answer.json
        return body

    return ask


def _end(get: Get) -> int:
    end: int = get()["after"]
    return end


def test_the_newest_come_first_in_the_webhooks_form(
    app: Flask, client: FlaskClient, merchant: MerchantClient, publish: Publish, get: Get
) -> None:
    record_events(app, merchant, objects=3, events=1)
    publish()
    page = get("?limit=2")
    assert page["object"] == "list" and page["has_more"] is True and len(page["data"]) == 2
    first = page["data"][0]
    assert first.keys() == {
        "id",
        "object",
        "type",
        "api_version",
        "created_at",
        "livemode",
        "pending_webhooks",
        "data",
    }
    assert first["object"] == "event" and first["type"] == "order.created"
    assert first["created_at"] >= page["data"][1]["created_at"]
    assert get("?type=payment.completed")["data"] == []
    simulate(client, merchant)
    publish()
    (simulated,) = get("?type=payment.completed")["data"]
    assert simulated["data"] == {"payment": {"id": "pay_test", "amount": 99.99}}


def test_an_event_says_to_how_many_endpoints_it_is_still_to_be_sent(
    app: Flask, client: FlaskClient, merchant: MerchantClient, publish: Publish, receiver: Receiver, get: Get
) -> None:
    register(client, merchant, receiver.url)
    record_events(app, merchant, objects=1, events=1)
    publish()
    assert get("?type=order.created")["data"][0]["pending_webhooks"] == 1


def test_those_behind_a_number_are_all_there_once_in_order(
    app: Flask, merchant: MerchantClient, publish: Publish, get: Get
) -> None:
    """While others publish, a reader that goes on from the last answer gets every event, in the log's order."""
    after, found = _end(get), list[str]()
    is_over = threading.Event()

    def read() -> None:
        nonlocal after
        while True:
            was_over = is_over.is_set()
            page = get(f"?after={after}&limit=3&wait=1")
            found.extend(one["id"] for one in page["data"])
            after = page["after"]
            if was_over and not page["data"]:
                return

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for _ in range(5):
            record_events(app, merchant, objects=2, events=2)
            record_events(app, make_merchant(app), objects=2, events=1)
            publish()
        is_over.set()
        reading.result(timeout=60)
    everything = [one["id"] for one in get("?limit=100")["data"]]
    assert found == everything[::-1] and len(found) == 20


def test_a_wait_ends_when_an_event_comes(
    app: Flask, merchant: MerchantClient, publish: Publish, get: Get
) -> None:
    after = _end(get)
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        waiting = pool.submit(get, f"?after={after}&wait=20")
        time.sleep(0.3)
        record_events(app, make_merchant(app), objects=1, events=1)  # another tenant's: it goes on waiting
        publish()
        record_events(app, merchant, objects=1, events=1)
        publish()
        page = waiting.result(timeout=20)
    assert len(page["data"]) == 1 and page["after"] > after
    assert 0.3 <= time.monotonic() - began < 15


def test_a_wait_without_an_event_ends_in_time_and_goes_on_behind_what_others_did(
    app: Flask, merchant: MerchantClient, publish: Publish, get: Get
) -> None:
    after = _end(get)
    record_events(app, make_merchant(app), objects=3, events=1)
    publish()
    began = time.monotonic()
    page = get(f"?after={after}&wait=1")
    assert page["data"] == [] and page["after"] >= after + 3
    assert 1 <= time.monotonic() - began < 10


def test_who_comes_when_too_many_wait_is_answered_at_once(app: Flask, get: Get) -> None:
    waits: EventWaits = app.extensions["event_waits"]
    after = _end(get)
    slots = 0
    while waits._slots.acquire(blocking=False):
        slots += 1
    began = time.monotonic()
    try:
        assert get(f"?after={after}&wait=20")["data"] == []
    finally:
        for _ in range(slots):
            waits._slots.release()
    assert slots >= 1 and time.monotonic() - began < 10


def test_a_process_that_stops_answers_those_who_wait(app: Flask) -> None:
    waits = EventWaits(app)
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        waiting = pool.submit(waits.wait, 2**52, seconds=30)
        time.sleep(0.2)
        waits.stop()
        assert waiting.result(timeout=20) is False
    assert time.monotonic() - began < 10 and waits.wait(2**52, seconds=30) is False


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("after=-1", "after"),
        ("after=x", "after"),
        ("wait=21", "wait"),
        ("type=nonsense", "type"),
    ],
)
def test_a_query_that_is_not_valid(
    client: FlaskClient, merchant: MerchantClient, query: str, field: str
) -> None:
    answer = client.get(f"{PATH}?{query}", headers=merchant.bearer)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["error"]["errors"]] == [field]
