"""The sandbox in the test's own process: its parts, and the whole of it served by threads.

Starting a process of the sandbox costs seconds of a core. Only tests of the process itself need one (tests/support/sandbox.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from werkzeug.serving import WSGIRequestHandler, make_server

from app.config.sandbox import load_sandbox
from app.sandbox.app import create_app
from app.sandbox.core import Sandbox, SandboxSettings
from launcher.processes import Processes
from tests.support.sandbox import CallbackReceiver, RunningSandbox, kept_alive, sandbox_environment
from tests.support.waiting import wait_until

T = TypeVar("T")


def opened(folder: Path, autopay_s: float | None = 0) -> Sandbox:
    settings = SandboxSettings(autopay_s, "http://127.0.0.1:4010", "http://127.0.0.1:9/hooks/", folder)
    return Sandbox.open(settings)


class SandboxThreads(Processes):
    """Serves the simulators from threads. `kill` and `start` open the same files and the same port again."""

    def start(self, *names: str) -> None:
        assert names == ("sandbox",)
        self.app, self._sandbox = create_app(SandboxSettings.of(load_sandbox(self.environment)))
        self._sandbox.start()
        host, _, port = self.environment["SANDBOX_BIND"].partition(":")
        self._server = make_server(host, int(port), self.app, threaded=True, request_handler=_RequestHandler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def kill(self, name: str) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._sandbox.close()


@dataclass
class ServedSandbox(RunningSandbox):
    """Simulators in threads; what tests ask of the sandbox itself needs no connection."""

    processes: SandboxThreads

    def until(self, look: Callable[[], T], what: str) -> T:
        """The first truthy answer; between two looks half a second passes at the simulators."""

        def looked() -> T:
            if not (found := look()):
                self.control({"advance_s": self.control()["advance_s"] + 0.5})
            return found

        return wait_until(looked, what, every_s=0.02)

    def _ask(self, method: str, path: str, json: Any = None) -> dict[str, Any]:
        answer = self.processes.app.test_client().open(path, method=method, json=json)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found


class _RequestHandler(WSGIRequestHandler):
    def make_environ(self) -> dict[str, Any]:
        """With the connection under gunicorn's name: some faults close it."""
        return super().make_environ() | {"gunicorn.socket": self.connection}

    def log_request(self, *args: object) -> None:
        """Nothing, as gunicorn without an access log."""


@contextmanager
def served_sandbox(
    folder: Path, *, autopay_s: float | None = 0.2, webhook_base: str = "http://127.0.0.1:9/api/v1/webhooks"
) -> Iterator[ServedSandbox]:
    """As `running_sandbox`, without a process."""
    threads = SandboxThreads(sandbox_environment(folder, autopay_s, webhook_base), folder)
    threads.start("sandbox")
    try:
        with kept_alive() as http:
            yield ServedSandbox(folder, threads, http)
    finally:
        threads.kill("sandbox")


@contextmanager
def listened_sandbox(folder: Path, *, autopay_s: float) -> Iterator[tuple[ServedSandbox, CallbackReceiver]]:
    """A served sandbox, and who gets its webhooks: those of a provider at `/hooks/<provider>`."""
    with CallbackReceiver() as receiver:
        with served_sandbox(folder, autopay_s=autopay_s, webhook_base=f"{receiver.url}/hooks") as sandbox:
            yield sandbox, receiver
