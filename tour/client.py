"""The running gateway, as a client sees it: base URL, JSON in and out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

import requests

from tour.report import Difference

T = TypeVar("T")

TIMEOUT_S: Final = 30.0
SANDBOX: Final = "http://127.0.0.1:4010"
"""Where `make run` has the simulators."""
POLL_S: Final = 0.1


class NotRunning(Exception):
    """There is no gateway to tour."""


@dataclass(frozen=True, slots=True)
class GatewayClient:
    """The gateway at `url` (scheme, host, port), and the provider simulators beside it."""

    url: str
    sandbox: str = SANDBOX

    def require_running(self) -> None:
        """Raises NotRunning with a sentence that says what to do."""
        try:
            answer = requests.get(f"{self.url}/health/ready", timeout=TIMEOUT_S)
        except requests.RequestException:
            raise NotRunning(f"No gateway answers on {self.url}: start it with `make run` first.") from None
        if not answer.ok:
            raise NotRunning(
                f"The gateway on {self.url} is not ready ({answer.status_code}): {answer.text[:500]}"
            )

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        prefix: str = "/api/v1",
        **content: Any,
    ) -> requests.Response:
        """One request to the REST API. `content`: requests' json, data, files or params. Raises Difference."""
        headers = dict(headers)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        try:
            return requests.request(
                method, f"{self.url}{prefix}{path}", headers=headers, timeout=TIMEOUT_S, **content
            )
        except requests.RequestException as error:
            raise Difference(f"{method} {path} got no answer ({type(error).__name__}).") from error

    def fetch(self, method: str, path: str, *, status: int = 200, **options: Any) -> dict[str, Any]:
        """The JSON of an answer that must have `status`. Raises Difference."""
        answer = self.call(method, path, **options)
        if answer.status_code != status:
            raise Difference(
                f"{method} {path} answered {answer.status_code} instead of {status}: {answer.text[:500]}"
            )
        body: dict[str, Any] = answer.json()
        return body

    def simulators(self, path: str) -> dict[str, Any]:
        """What the simulators' own interface says. Raises Difference."""
        try:
            answer = requests.get(f"{self.sandbox}/sandbox{path}", timeout=TIMEOUT_S)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise Difference(
                f"The simulators on {self.sandbox} did not answer ({type(error).__name__})."
            ) from error
        body: dict[str, Any] = answer.json()
        return body


def error_code(answer: requests.Response) -> str | None:
    """`error.code` of an answer, read as the document's error handling reads it."""
    error = answer.json().get("error", {})
    return error.get("code") if isinstance(error, Mapping) else None


def wait_until(what: str, look: Callable[[], T | None], *, timeout_s: float) -> T:
    """The first value of `look()` that is not None. Raises Difference after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() >= deadline:
            raise Difference(f"{what} did not happen within {timeout_s:g} s.")
        time.sleep(POLL_S)
