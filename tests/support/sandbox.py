"""The sandbox as it runs: a gunicorn of its own on a free port. And a real receiver of callbacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import requests

from tests.support.house import free_port
from tests.support.listening import Listening, Received, say
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class RunningSandbox:
    """A sandbox that answers at `url`."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def control(self, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
        """Set `wanted`; without it, everything that is set."""
        method = "GET" if wanted is None else "POST"
        return self._ask(method, "/sandbox/control", wanted)

    def forget_rules(self) -> None:
        self._ask("DELETE", "/sandbox/control")

    def reset(self) -> None:
        """As on the first day; what was being delivered has come by then."""
        self._ask("POST", "/sandbox/control/reset", {})
        wait_until(
            lambda: self._ask("GET", "/sandbox/waiting?within=0")["due_soon"] == 0, "nothing is under way"
        )

    def book(self, provider: str, reference: str | None = None) -> dict[str, Any]:
        suffix = f"?reference={reference}" if reference else ""
        return self._ask("GET", f"/sandbox/book/{provider}{suffix}")

    def callbacks(self, provider: str | None = None) -> list[dict[str, Any]]:
        """Deliveries, oldest first."""
        suffix = f"?provider={provider}" if provider else ""
        return self._ask("GET", f"/sandbox/callbacks{suffix}")["callbacks"]

    def repeat(self, callback_id: int) -> None:
        self._ask("POST", f"/sandbox/callbacks/{callback_id}/repeat", {})

    def _ask(self, method: str, path: str, json: Any = None) -> dict[str, Any]:
        answer = requests.request(method, self.url + path, json=json, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def kill(self) -> None:
        """No goodbye: the process and its worker are killed."""
        os.killpg(self.process.pid, 9)
        self.process.wait()

    def start(self) -> None:
        """Start (again) on the same files and the same port."""
        self.process = _start(self.environment)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, "the sandbox answers", timeout_s=60, every_s=0.05)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, "the sandbox ended at once"
        try:
            return requests.get(f"{self.url}/sandbox/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False


@contextmanager
def running_sandbox(
    folder: Path,
    *,
    autopay_s: float | None = 0.2,
    webhook_base: str = "http://127.0.0.1:9/api/v1/webhooks",
    **settings: str,
) -> Iterator[RunningSandbox]:
    """A sandbox with its files in `folder`. settings: environment variables that differ.

    webhook_base's default is an address where nobody listens.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_ENV": "test",
        "SANDBOX_BIND": f"127.0.0.1:{port}",
        "SANDBOX_URL": url,
        "SANDBOX_AUTOPAY_S": "off" if autopay_s is None else str(autopay_s),
        "SANDBOX_WEBHOOK_BASE": webhook_base,
        "VAR_DIR": str(folder),
        **settings,
    }
    sandbox = RunningSandbox(url, folder, _start(environment), environment)
    try:
        sandbox.wait_until_ready()
        yield sandbox
    finally:
        if sandbox.process.poll() is None:
            sandbox.process.terminate()
            try:
                sandbox.process.wait(15)
            except subprocess.TimeoutExpired:
                sandbox.kill()


def _start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    program = Path(sys.executable).with_name("gunicorn")
    return subprocess.Popen(
        [program, "--config", "app/sandbox/gunicorn.conf.py", "app.sandbox.wsgi:app"],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )


@contextmanager
def listened_sandbox(folder: Path, *, autopay_s: float) -> Iterator[tuple[RunningSandbox, CallbackReceiver]]:
    """A sandbox, and who gets its webhooks: those of a provider at `/hooks/<provider>`."""
    with CallbackReceiver() as receiver:
        with running_sandbox(folder, autopay_s=autopay_s, webhook_base=f"{receiver.url}/hooks") as sandbox:
            yield sandbox, receiver


@dataclass
class CallbackReceiver(Listening):
    """A small real HTTP server that keeps what it is sent.

    `status` and `body` are what it answers, at any moment; `statuses` are answered first, one each.
    """

    status: int = 200
    body: bytes = b"{}"
    statuses: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def serve(self, received: Received, handler: BaseHTTPRequestHandler) -> None:
        self.received.append(received)
        say(handler, self.statuses.pop(0) if self.statuses else self.status, self.body)

    def of(self, path: str) -> list[Received]:
        """What came to this path (without its query), in order of arrival."""
        return [one for one in self.received if one.path.partition("?")[0] == path]

    def wait_for(self, count: int = 1, *, path: str | None = None, timeout_s: float = 30) -> list[Received]:
        """The requests once there are so many, to `path` or to any."""

        def enough() -> list[Received] | None:
            found = self.of(path) if path else list(self.received)
            return found if len(found) >= count else None

        return wait_until(enough, f"{count} callbacks arrive", timeout_s=timeout_s)
