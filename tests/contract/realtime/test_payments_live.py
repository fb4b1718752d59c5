"""Everyone concerned sees every step of a payment, in order, on both servers of Socket.IO."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
import socketio

from tests.contract.realtime.conftest import Payer
from tests.support.realtime import ReceivedEvents, javascript_client, python_client
from tests.support.stack import Stack
from tests.support.waiting import wait_until

STEPS = ["pending", "completed"]


def test_the_python_client_sees_every_step(payer: Payer, url: str) -> None:
    with (
        python_client(url, payer.sender.access_token) as sender,
        python_client(url, payer.recipient.access_token) as recipient,
    ):
        assert sender.transport() == "websocket"  # it starts with polling and changes over
        payment_id = payer.pay("10.50")
        assert sender.received.wait_for_steps(payment_id) == STEPS
        assert recipient.received.wait_for_steps(payment_id) == STEPS
        update = sender.received.of("transaction_update")[-1]

    assert sender.received.of("connected") == [{"message": "Connected to payment gateway"}]
    assert update["event_type"] == "wallet_payment.completed"
    assert update["transaction"]["amount"] == 10.5
    assert update["transaction"]["source_wallet_id"] == payer.wallet
    assert update["event_id"].startswith("evt_")


def test_the_stock_python_client_sees_every_step(payer: Payer, url: str) -> None:
    updates: list[dict[str, Any]] = []
    client = socketio.Client()
    client.on("transaction_update", updates.append)
    client.connect(url, auth={"token": payer.sender.access_token})
    try:
        payer.pay()
        wait_until(lambda: len(updates) == 2, "both steps")
    finally:
        client.disconnect()
    # Its handlers run in threads of their own: `sequence` is the order.
    updates.sort(key=lambda update: update["sequence"])
    assert [update["transaction"]["status"] for update in updates] == STEPS


def test_the_javascript_client_sees_every_step(payer: Payer, url: str, javascript: None) -> None:
    with javascript_client(url, payer.sender.access_token) as client:
        client.received.wait_for("connected")
        client.received.wait_for("upgrade")  # from polling, with which it starts, to WebSocket
        payment_id = payer.pay()
        assert client.received.wait_for_steps(payment_id) == STEPS
        client.subscribe(payment_id)
        assert client.received.wait_for("subscribed")[0]["room"] == f"transaction_{payment_id}"


def test_a_polling_client_sees_every_step(payer: Payer, url: str) -> None:
    client_options = {"reconnection": False}
    with python_client(url, payer.sender.access_token, **client_options) as client:
        client.disconnect()
        client.connect(url, auth={"token": payer.sender.access_token}, transports=["polling"])
        client.received.wait_for("connected", 2)
        assert client.transport() == "polling"
        assert client.received.wait_for_steps(payer.pay()) == STEPS


def test_a_subscription_is_confirmed_and_followed_by_the_present_state(payer: Payer, url: str) -> None:
    with python_client(url, payer.sender.access_token) as sender, python_client(url) as watcher:
        payment_id = payer.pay("2.50")
        sender.received.wait_for_steps(payment_id)
        watcher.subscribe(payment_id)
        watcher.received.wait_for("transaction_update")

    assert watcher.received.names() == ["connected", "subscribed", "transaction_update"]
    assert watcher.received.of("subscribed") == [
        {"message": f"Subscribed to transaction {payment_id}", "room": f"transaction_{payment_id}"}
    ]
    # The state is the very event that was pushed, so a client knows that it has seen it.
    assert watcher.received.of("transaction_update")[0] == sender.received.of("transaction_update")[-1]


def test_late_subscriber_sees_the_remaining_steps_in_order(payer: Payer, url: str) -> None:
    with python_client(url) as watcher:
        payments = []
        for _ in range(15):
            payments.append(payer.pay())
            watcher.subscribe(payments[-1])
        for payment_id in payments:
            steps = watcher.received.wait_for_steps(payment_id)
            assert steps == sorted(steps, reverse=True), steps  # pending, then completed
            assert steps.count("completed") == 1, steps


@dataclass(frozen=True)
class AfterAGap:
    """What was received at one server while no relay ran, and after one was started.

    client: the sender's, which also subscribed to the first payment. watcher: subscribed to it, and unsubscribed.
    first_shown: the updates that the sender's client had when only `payments` had been made.
    """

    payments: list[str]
    client: ReceivedEvents
    watcher: ReceivedEvents
    first_shown: list[Any]


@pytest.fixture(scope="module")
def gaps(stack: Stack, make_payer: Callable[[Stack], Payer]) -> list[AfterAGap]:
    """One for each server. Without a relay a payment stays unpublished while a watcher comes and goes."""
    payer = make_payer(stack)
    with ExitStack() as opened:
        pairs = [
            (
                opened.enter_context(python_client(url, payer.sender.access_token)),
                opened.enter_context(python_client(url)),
            )
            for url in (stack.url, stack.realtime_url)
        ]
        stack.kill("relay")
        payments = [payer.pay() for _ in range(3)]
        shown = [client.received.of("transaction_update") for client, _ in pairs]
        for client, watcher in pairs:
            for each in (client, watcher):
                each.subscribe(payments[0])
                each.received.wait_for("transaction_update")  # its present state, from no event yet
            watcher.emit("unsubscribe_transaction", {"transaction_id": payments[0]})
            watcher.received.wait_for("unsubscribed")
        stack.start("relay")
        for client, watcher in pairs:
            for payment_id in payments:
                client.received.wait_for_steps(payment_id)
            later = payer.pay()
            watcher.subscribe(later)
            watcher.received.wait_for_steps(later)
    return [
        AfterAGap(payments, client.received, watcher.received, first)
        for (client, watcher), first in zip(pairs, shown, strict=True)
    ]


def test_events_without_a_relay_are_pushed_when_one_starts(gaps: list[AfterAGap]) -> None:
    for gap in gaps:
        assert gap.first_shown == []
        for payment_id in gap.payments[1:]:
            assert gap.client.steps(payment_id) == STEPS
        shown = [update["transaction"]["id"] for update in gap.client.of("transaction_update")]
        assert list(dict.fromkeys(shown))[:3] == gap.payments  # in the order they were made


def test_a_client_in_two_rooms_of_a_payment_gets_each_step_once(gaps: list[AfterAGap]) -> None:
    for gap in gaps:
        assert gap.client.steps(gap.payments[0]) == ["pending", *STEPS]


def test_after_unsubscribing_nothing_comes(gaps: list[AfterAGap]) -> None:
    for gap in gaps:
        message = f"Unsubscribed from transaction {gap.payments[0]}"
        assert gap.watcher.of("unsubscribed") == [{"message": message}]
        assert gap.watcher.steps(gap.payments[0]) == ["pending"]


def test_nothing_is_pushed_before_it_is_committed(payer: Payer, stack: Stack, url: str) -> None:
    known: list[bool] = []
    with psycopg2.connect(stack.environment["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        with python_client(url, payer.sender.access_token) as client:

            def look(update: dict[str, Any]) -> None:
                cursor.execute("SELECT type FROM events WHERE seq = %s", (update["sequence"],))
                known.append(cursor.fetchone() == (update["event_type"],))
                client.received.add("transaction_update", update)

            client.on("transaction_update", look)
            for _ in range(10):
                client.received.wait_for_steps(payer.pay())
    connection.close()
    assert known == [True] * 20


def test_a_refused_payment_is_not_pushed(payer: Payer, url: str) -> None:
    with python_client(url, payer.sender.access_token) as client:
        with pytest.raises(AssertionError, match="INSUFFICIENT_BALANCE"):
            payer.pay("5000.00")
        payment_id = payer.pay()
        client.received.wait_for_steps(payment_id)
        assert len(client.received.of("transaction_update")) == 2


def test_vanished_client_does_not_affect_others(payer: Payer, url: str, javascript: None) -> None:
    with (
        javascript_client(url, payer.sender.access_token) as ghost,
        python_client(url, payer.sender.access_token) as client,
    ):
        ghost.received.wait_for("connected")
        ghost.kill()
        for _ in range(3):
            assert client.received.wait_for_steps(payer.pay()) == STEPS


def test_client_gets_no_pushes_of_payments_it_did_not_subscribe_to(payer: Payer, url: str) -> None:
    with python_client(url) as outsider, python_client(url, payer.recipient.access_token) as recipient:
        recipient.received.wait_for_steps(payer.pay())
        assert outsider.received.names() == ["connected"]
