"""In front of Socket.IO: how many clients there may be, and how many of the server's threads they may hold.

A Socket.IO client holds a thread for as long as it is connected. Were they unlimited, REST would starve.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

PATH: Final = "/socket.io/"

SPARE_REQUESTS: Final = 16
"""Requests at once beyond one a client: a client that changes from polling to WebSocket makes a second and a third."""

RETRY_AFTER_S: Final = 5

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Gate:
    """WSGI middleware: 503 for a client above the maximum, and for more requests at once than clients can need."""

    def __init__(self, inner: Wsgi, *, clients: Callable[[], int], max_clients: int) -> None:
        self._inner = inner
        self._clients = clients
        self._max_clients = max_clients
        self._requests = 0
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(PATH):
            return self._inner(environ, start_response)
        if not self._enter(is_new="sid" not in parse_qs(environ.get("QUERY_STRING", ""))):
            return _refuse(start_response)
        try:
            # Socket.IO answers with a list, so the thread is free again when this returns.
            return self._inner(environ, start_response)
        finally:
            with self._lock:
                self._requests -= 1

    def _enter(self, *, is_new: bool) -> bool:
        with self._lock:
            if self._requests >= self._max_clients + SPARE_REQUESTS:
                return False
            if is_new and self._clients() >= self._max_clients:
                return False
            self._requests += 1
            return True


def _refuse(start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = orjson.dumps(
        {
            "code": "TOO_MANY_CLIENTS",
            "message": "All Socket.IO connections are in use; try again in a few seconds.",
        }
    )
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Retry-After", str(RETRY_AFTER_S)),
    ]
    start_response("503 Service Unavailable", headers)
    return [body]
