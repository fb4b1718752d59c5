"""Real Socket.IO clients that record what they receive."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import engineio
import socketio

from tests.support import node
from tests.support.node import NODE
from tests.support.waiting import wait_until

JS = Path(__file__).resolve().parents[1] / "contract" / "realtime" / "js"


class ReceivedEvents:
    """Events in the order they were received, each with its time."""

    def __init__(self) -> None:
        self._events: list[tuple[float, str, Any]] = []
        self._lock = threading.Lock()

    def add(self, name: str, data: Any) -> None:
        with self._lock:
            self._events.append((time.time(), name, data))

    def of(self, name: str) -> list[Any]:
        """The data of every event of this name so far."""
        return [data for _, event, data in list(self._events) if event == name]

    def names(self) -> list[str]:
        return [name for _, name, _ in list(self._events)]

    def moments(self, name: str) -> list[float]:
        return [at for at, event, _ in list(self._events) if event == name]

    def wait_for(self, name: str, count: int = 1, *, timeout_s: float = 30.0) -> list[Any]:
        """The first `count` events of this name, when they have come."""
        wait_until(lambda: len(self.of(name)) >= count, f"{count} × {name}", timeout_s=timeout_s)
        return self.of(name)[:count]

    def steps(self, payment_id: str) -> list[str]:
        """The statuses a payment was shown in, in order."""
        return [
            update["transaction"]["status"]
            for update in self.of("transaction_update")
            if update["transaction"]["id"] == payment_id
        ]

    def wait_for_steps(
        self, payment_id: str, *, last: str = "completed", timeout_s: float = 30.0
    ) -> list[str]:
        """The same, when the payment was shown as `last`."""
        wait_until(lambda: last in self.steps(payment_id), f"{payment_id} {last}", timeout_s=timeout_s)
        return self.steps(payment_id)


class _InOrder(engineio.Client):
    """The stock client starts a thread for each message, so its handlers may run in another order than they came."""

    def _trigger_event(self, event: str, *args: Any, **options: Any) -> Any:
        return super()._trigger_event(event, *args, **options | {"run_async": False})


class PythonClient(socketio.Client):
    """The Python client with default settings; everything it receives is in `received`, in that order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.received = ReceivedEvents()
        self.on("*", lambda name, data=None: self.received.add(name, data))
        self.on("connect_error", lambda data=None: self.received.add("connect_error", data))

    def _engineio_client_class(self) -> type:
        return _InOrder

    def subscribe(self, payment_id: str, **more: Any) -> None:
        self.emit("subscribe_transaction", {"transaction_id": payment_id, **more})


@contextmanager
def python_client(
    url: str, token: str | None = None, *, api_key: str | None = None, **options: Any
) -> Iterator[PythonClient]:
    """A connected client, which has been greeted."""
    client = PythonClient(**options)
    auth = {"token": token} if token else {"api_key": api_key} if api_key else None
    with ExitStack() as after:
        with ExitStack() as connection:
            connection.callback(client.disconnect)
            client.connect(url, auth=auth)
            if client.eio.ws is not None:
                after.callback(client.eio.ws.shutdown)  # the library forgets it when the server hangs up
            client.received.wait_for("connected")
            yield client


class JavaScriptClient:
    """The default socket.io-client in a process of its own."""

    def __init__(self, url: str, token: str | None) -> None:
        self.received = ReceivedEvents()
        self._process = subprocess.Popen(
            [NODE, "client.mjs", url, *([token] if token else [])],
            cwd=JS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def emit(self, name: str, data: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, data]) + "\n")
        self._process.stdin.flush()

    def subscribe(self, payment_id: str) -> None:
        self.emit("subscribe_transaction", {"transaction_id": payment_id})

    def kill(self) -> None:
        """Vanish without closing the connection."""
        self._process.kill()

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.received.add(*json.loads(line))


@contextmanager
def javascript_client(url: str, token: str | None = None) -> Iterator[JavaScriptClient]:
    """A client that is connecting."""
    client = JavaScriptClient(url, token)
    try:
        yield client
    finally:
        client.close()


def install_javascript() -> None:
    """Install socket.io-client, as locked, for the JavaScript client; once for all test processes."""
    node.install(JS)
