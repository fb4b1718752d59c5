"""The provider simulators in a process of their own, on a free port. And a real receiver of callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from launcher.addresses import local_addresses
from launcher.processes import Processes
from tests.support.http_listener import HttpListener, Received, say
from tests.support.waiting import wait_until


@contextmanager
def kept_alive(*, retries: int = 0) -> Iterator[requests.Session]:
    """Connections that are used again. retries: where the server may close an
    idle connection at the moment of the next request."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(max_retries=Retry(retries, allowed_methods=None)))
        yield session


@dataclass
class RunningSandbox:
    """Simulators that answer at `url`."""

    folder: Path
    processes: Processes
    http: requests.Session = field(repr=False)

    @property
    def url(self) -> str:
        return self.processes.sandbox_url

    def control(self, wanted: dict[str, Any] | None = None) -> dict[str, Any]:
        """Set `wanted`; without it, everything that is set."""
        method = "GET" if wanted is None else "POST"
        return self._ask(method, "/sandbox/control", wanted)

    def forget_rules(self) -> None:
        self._ask("DELETE", "/sandbox/control")

    def reset(self) -> None:
        """As on the first day; what was being delivered has come by then."""
        self._ask("POST", "/sandbox/control/reset", {})
        wait_until(lambda: self.due(within_s=0)[0] == 0, "nothing is under way")

    def due(self, *, within_s: float) -> tuple[int, int]:
        """How many customers' decisions and callbacks are under way; and with those that will be within so many seconds."""
        found = self._ask("GET", f"/sandbox/waiting?within={within_s:g}")
        return found["due"], found["due_soon"]

    def book(self, provider: str, reference: str | None = None) -> dict[str, Any]:
        suffix = f"?reference={reference}" if reference else ""
        return self._ask("GET", f"/sandbox/book/{provider}{suffix}")

    def totals(self) -> dict[str, dict[str, dict[str, str]]]:
        """What each provider moved: provider → currency → `charge`, `refund`, `payout`, `net`."""
        found: dict[str, dict[str, dict[str, str]]] = self._ask("GET", "/sandbox/book")["totals"]
        return found

    def callbacks(self, provider: str | None = None) -> list[dict[str, Any]]:
        """Deliveries, oldest first."""
        suffix = f"?provider={provider}" if provider else ""
        return self._ask("GET", f"/sandbox/callbacks{suffix}")["callbacks"]

    def repeat(self, callback_id: int) -> None:
        self._ask("POST", f"/sandbox/callbacks/{callback_id}/repeat", {})

    def _ask(self, method: str, path: str, json: Any = None) -> dict[str, Any]:
        answer = self.http.request(method, self.url + path, json=json, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def kill(self) -> None:
        """SIGKILL to the process and its worker."""
        self.processes.kill("sandbox")

    def start(self) -> None:
        """Start (again) on the same files and the same port; the simulators answer when this returns."""
        self.processes.start("sandbox")


def sandbox_environment(folder: Path, autopay_s: float | None, webhook_base: str) -> dict[str, str]:
    return local_addresses() | {
        "GATEWAY_ENV": "test",
        "SANDBOX_AUTOPAY_S": "off" if autopay_s is None else str(autopay_s),
        "SANDBOX_WEBHOOK_BASE": webhook_base,
        "VAR_DIR": str(folder),
    }


@contextmanager
def running_sandbox(
    folder: Path,
    *,
    autopay_s: float | None = 0.2,
    webhook_base: str = "http://127.0.0.1:9/api/v1/webhooks",
    **settings: str,
) -> Iterator[RunningSandbox]:
    """A sandbox with its files in `folder`. settings: environment variables that differ.

    webhook_base's default is an address where nothing listens.
    """
    environment = sandbox_environment(folder, autopay_s, webhook_base) | settings
    processes = Processes(environment, folder)
    try:
        processes.start("sandbox")
        with kept_alive(retries=1) as http:
            yield RunningSandbox(folder, processes, http)
    finally:
        if processes.is_running("sandbox"):
            processes.stop("sandbox")


@dataclass
class CallbackReceiver(HttpListener):
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
