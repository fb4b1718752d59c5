"""Watching over Socket.IO, with a client as it comes out of the box."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import socketio

from tour.report import Difference

CONNECT_TIMEOUT_S: Final = 10
STEP_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """A push that arrived, and when (monotonic seconds)."""

    event_type: str
    payment_id: str
    transaction: dict[str, Any]
    at: float


@dataclass
class Watcher:
    """Everything one connection has been told, in order."""

    steps: list[Step] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _client: Any = None

    def subscribe(self, payment_id: str) -> str:
        """Join the payment's room and return its name. Raises Difference."""
        self._client.emit("subscribe_transaction", {"transaction_id": payment_id})
        self._wait(
            lambda: bool(self.rooms or self.errors), f"The answer to subscribe_transaction {payment_id}"
        )
        if self.errors:
            raise Difference(f"subscribe_transaction was refused: {self.errors[-1]}")
        return self.rooms[-1]

    def steps_of(self, payment_id: str, *, until: str) -> list[Step]:
        """The payment's pushes so far, once `until` has arrived. Raises Difference when it does not."""
        self._wait(
            lambda: any(step.payment_id == payment_id and step.event_type == until for step in self.steps),
            f"The push {until}",
        )
        return [step for step in self.steps if step.payment_id == payment_id]

    def _wait(self, happened: Any, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(happened, timeout=STEP_TIMEOUT_S):
                raise Difference(f"{what} did not arrive within {STEP_TIMEOUT_S:g} s.")

    def _on_update(self, data: dict[str, Any]) -> None:
        transaction = data["transaction"]
        with self._changed:
            self.steps.append(Step(data["event_type"], transaction["id"], transaction, time.monotonic()))
            self._changed.notify_all()

    def _on_subscribed(self, data: dict[str, Any]) -> None:
        with self._changed:
            self.rooms.append(data["room"])
            self._changed.notify_all()

    def _on_error(self, data: dict[str, Any]) -> None:
        with self._changed:
            self.errors.append(data)
            self._changed.notify_all()


@contextmanager
def watching(url: str, token: str) -> Iterator[Watcher]:
    """A connection in the room of the token's user. Raises Difference when it is refused."""
    watcher = Watcher()
    client = watcher._client = socketio.Client()
    client.on("transaction_update", watcher._on_update)
    client.on("subscribed", watcher._on_subscribed)
    client.on("error", watcher._on_error)
    try:
        client.connect(url, auth={"token": token}, wait_timeout=CONNECT_TIMEOUT_S)
    except socketio.exceptions.ConnectionError as error:
        raise Difference(f"Socket.IO on {url} refused the connection: {error}.") from error
    try:
        yield watcher
    finally:
        client.disconnect()
