"""Receiving pushes over Socket.IO with the default client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import socketio

from tour.report import Difference

CONNECT_TIMEOUT_S: Final = 30
STEP_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Step:
    """A push that arrived, and when (monotonic seconds)."""

    event_type: str
    payment_id: str
    transaction: dict[str, Any]
    at: float
    sequence: int | None = None


@dataclass
class Watcher:
    """Everything that one connection has received, in order."""

    steps: list[Step] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)
    greetings: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _client: Any = None

    def subscribe(self, payment_id: str) -> str:
        """Join the payment's room and return its name. Raises Difference."""
        self._client.emit("subscribe_transaction", {"transaction_id": payment_id})
        room = f"transaction_{payment_id}"
        self._wait(
            lambda: room in self.rooms or bool(self.errors),
            f"The answer to subscribe_transaction {payment_id}",
        )
        if self.errors:
            raise Difference(f"subscribe_transaction was refused: {self.errors[-1]}")
        return room

    def greeting(self) -> str:
        """The server's greeting to a new connection. Raises Difference."""
        self._wait(lambda: bool(self.greetings), "The greeting")
        return self.greetings[0]

    def steps_of(
        self, payment_id: str, *, until: str, count: int = 1, timeout_s: float = STEP_TIMEOUT_S
    ) -> list[Step]:
        """The payment's pushes so far, in order, once `until` was received `count` times. Raises Difference."""

        def arrived() -> bool:
            found = [s for s in self.steps if s.payment_id == payment_id and s.event_type == until]
            return len(found) >= count

        self._wait(arrived, f"The push {until}", timeout_s=timeout_s)
        # The client runs each handler in a thread of its own: the sequence is the order, not the arrival.
        return sorted(
            (step for step in self.steps if step.payment_id == payment_id),
            key=lambda step: step.sequence or 0,
        )

    def _wait(self, happened: Callable[[], bool], what: str, *, timeout_s: float = STEP_TIMEOUT_S) -> None:
        with self._changed:
            if not self._changed.wait_for(happened, timeout=timeout_s):
                raise Difference(f"{what} did not arrive within {timeout_s:g} s.")

    def _on_update(self, data: dict[str, Any]) -> None:
        transaction = data["transaction"]
        with self._changed:
            self.steps.append(
                Step(
                    data["event_type"], transaction["id"], transaction, time.monotonic(), data.get("sequence")
                )
            )
            self._changed.notify_all()

    def _on_subscribed(self, data: dict[str, Any]) -> None:
        with self._changed:
            self.rooms.append(data["room"])
            self._changed.notify_all()

    def _on_connected(self, data: dict[str, Any]) -> None:
        with self._changed:
            self.greetings.append(data["message"])
            self._changed.notify_all()

    def _on_error(self, data: dict[str, Any]) -> None:
        with self._changed:
            self.errors.append(data)
            self._changed.notify_all()


@contextmanager
def watching(url: str, token: str | None = None) -> Iterator[Watcher]:
    """A connection, with a token in the room of its user. Raises Difference when it is refused."""
    watcher = Watcher()
    client = watcher._client = socketio.Client()
    client.on("transaction_update", watcher._on_update)
    client.on("connected", watcher._on_connected)
    client.on("subscribed", watcher._on_subscribed)
    client.on("error", watcher._on_error)
    try:
        client.connect(url, auth={"token": token} if token else None, wait_timeout=CONNECT_TIMEOUT_S)
    except socketio.exceptions.ConnectionError as error:
        raise Difference(f"Socket.IO on {url} refused the connection: {error}.") from error
    try:
        yield watcher
    finally:
        client.disconnect()
