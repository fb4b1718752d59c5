"""Pushing: what is in the log reaches the clients in order, again after any outage or crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from flask import Flask

from app.events import push_loop as module
from app.events.push import PushFailed
from app.events.push_loop import PushLoop
from app.events.push_messages import PushMessage
from app.events.relay import Relay
from app.services.reactions import REACTIONS
from tests.support.database import connection, run
from tests.support.event_log import NoPushes
from tests.support.waiting import wait_until

OF_ONE_PAYMENT = ["wallet_payment.pending", "wallet_payment.completed"]


class Channel:
    """Accepts pushes in place of Redis, unless it `is_unavailable`."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, int]] = []
        self.is_unavailable = False

    def push(self, messages: Sequence[PushMessage]) -> None:
        if self.is_unavailable:
            raise PushFailed
        self.pushed += [(m.payload["event_type"], m.payload["sequence"]) for m in messages]

    def assert_in_order(self, count: int) -> None:
        numbers = [sequence for _, sequence in self.pushed]
        assert len(numbers) == count
        assert numbers == sorted(numbers)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.pushed]


@pytest.fixture
def channel() -> Channel:
    return Channel()


@contextmanager
def _loop(app: Flask, channel: Channel) -> Iterator[PushLoop]:
    made = PushLoop(app.config, pusher=channel)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def loop(log_app: Flask, channel: Channel) -> Iterator[PushLoop]:
    with _loop(log_app, channel) as made:
        yield made


@pytest.fixture
def publish_payment(log_app: Flask, pay: Callable[[], str]) -> Iterator[Callable[[], None]]:
    """Pays, and publishes the payment's two events."""
    relay = Relay(log_app.config, pushes=NoPushes(), hand_over=lambda _: None, reactions=REACTIONS)

    def run() -> None:
        pay()
        while relay.step():
            pass

    yield run
    relay.close()


def test_published_events_are_pushed_once(
    loop: PushLoop, channel: Channel, publish_payment: Callable[[], None]
) -> None:
    publish_payment()
    assert loop.step() >= 2
    assert loop.step() == 0
    assert channel.names == OF_ONE_PAYMENT


def test_a_long_log_is_pushed_in_pieces_and_in_order(
    loop: PushLoop, channel: Channel, publish_payment: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    for _ in range(4):
        publish_payment()
    while loop.step():
        pass
    channel.assert_in_order(8)


def test_failed_pushes_are_retried_in_order(
    loop: PushLoop, channel: Channel, publish_payment: Callable[[], None]
) -> None:
    """Breaks when events published while Redis was away are only in the log."""
    channel.is_unavailable = True
    for _ in range(3):
        publish_payment()
        assert loop.step() == 0
    assert channel.pushed == []
    channel.is_unavailable = False
    publish_payment()
    while loop.step():
        pass
    channel.assert_in_order(8)


def test_what_was_not_pushed_before_a_crash_is_pushed_by_the_next(
    log_app: Flask,
    loop: PushLoop,
    channel: Channel,
    publish_payment: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Breaks when a new process starts at the end of the log instead of at `pushed_through`."""
    monkeypatch.setattr(module, "SAVE_EVERY_S", 0.0)
    publish_payment()
    loop.step()
    channel.is_unavailable = True
    publish_payment()
    loop.step()
    loop.close()
    channel.is_unavailable, channel.pushed = False, []
    with _loop(log_app, channel) as following:
        following.step()
    assert channel.names == OF_ONE_PAYMENT


def test_one_pushes_and_another_stands_by(
    log_app: Flask, loop: PushLoop, channel: Channel, publish_payment: Callable[[], None]
) -> None:
    """Breaks without the advisory lock: two would push each event twice, and out of order."""
    assert loop.step() >= 0
    with _loop(log_app, channel) as standby:
        publish_payment()
        assert standby.step() == 0
        assert channel.pushed == []
        loop.close()
        wait_until(standby.step, "the other to push")
    assert channel.names == OF_ONE_PAYMENT


def test_a_log_that_begins_anew_is_pushed_from_its_beginning(
    loop: PushLoop, channel: Channel, publish_payment: Callable[[], None], log_settings: dict[str, str]
) -> None:
    """`flask demo reset` empties it under a running relay. Breaks when the process goes by what it has in memory."""
    publish_payment()
    assert loop.step() > 0
    publish_payment()
    assert loop.step() > 0
    with connection(log_settings, as_owner=True) as owner:
        run(owner, "ALTER TABLE events DISABLE TRIGGER insert_only")
        for _ in range(3):
            run(owner, "DELETE FROM events; UPDATE relay_state SET pushed_through = 0")
            channel.pushed = []
            publish_payment()
            while loop.step():
                pass
            assert channel.names == OF_ONE_PAYMENT
