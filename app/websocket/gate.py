"""In front of Socket.IO: how many clients there may be, in all and from one address, how many of the server's threads they
may hold, and what they may post.

A Socket.IO client holds a thread for as long as it is connected. Were they unlimited, REST would starve.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from app.errors import HostRefused
from app.http.local_hosts import REFUSED

PATH: Final = "/socket.io/"

SPARE_REQUESTS: Final = 16
"""Requests at once beyond one a client: a client that changes from polling to WebSocket makes a second and a third."""

RETRY_AFTER_S: Final = 5

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Gate:
    """WSGI middleware: 503 for a client above the maximum, 429 for one above its address's; 503 for more requests at once than clients can need; 400 for
    posted packets that are not admitted; 403 for a host that is not ours.

    forget_closed: drops a transport, by its id, that has ended: the server fails on a request for one that is still listed.
    admits: whether a transport may post this body. max_body_bytes: larger ones are left to the server, which
    refuses them.
    """

    def __init__(
        self,
        inner: Wsgi,
        *,
        clients: Callable[[], int],
        clients_of: Callable[[str], int],
        max_clients: int,
        max_clients_of_address: int,
        forget_closed: Callable[[str], None],
        admits: Callable[[str, bytes], bool],
        max_body_bytes: int,
        is_host_ours: Callable[[dict[str, Any]], bool],
    ) -> None:
        self._inner = inner
        self._clients = clients
        self._clients_of = clients_of
        self._max_clients = max_clients
        self._max_clients_of_address = max_clients_of_address
        self._forget_closed = forget_closed
        self._admits = admits
        self._max_body_bytes = max_body_bytes
        self._is_host_ours = is_host_ours
        self._requests = 0
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(PATH):
            return self._inner(environ, start_response)
        if not self._is_host_ours(environ):
            return _answer(start_response, "403 Forbidden", HostRefused.code, REFUSED)
        sid = parse_qs(environ.get("QUERY_STRING", "")).get("sid", [None])[0]
        if sid is not None:
            self._forget_closed(sid)
        elif self._is_address_full(environ):
            return _refuse_address(start_response)
        if not self._enter(is_new=sid is None):
            return _refuse_client(start_response)
        try:
            if (
                sid is not None
                and environ["REQUEST_METHOD"] == "POST"
                and not self._admits_body(sid, environ)
            ):
                return _refuse_body(start_response)
            # Socket.IO answers with a list, so the thread is free again when this returns.
            return self._inner(environ, start_response)
        finally:
            with self._lock:
                self._requests -= 1

    def _is_address_full(self, environ: dict[str, Any]) -> bool:
        return self._clients_of(sender(environ)) >= self._max_clients_of_address

    def _enter(self, *, is_new: bool) -> bool:
        with self._lock:
            if self._requests >= self._max_clients + SPARE_REQUESTS:
                return False
            if is_new and self._clients() >= self._max_clients:
                return False
            self._requests += 1
            return True

    def _admits_body(self, sid: str, environ: dict[str, Any]) -> bool:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self._max_body_bytes:
            return True
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = BytesIO(body)
        return self._admits(sid, body)


def sender(environ: Mapping[str, Any]) -> str:
    """Whom a connection is counted for: its address, of IPv6 the first 64 bits, which one subscriber has to himself."""
    try:
        address = ipaddress.ip_address(environ.get("REMOTE_ADDR") or "")
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def _refuse_address(start_response: Callable[..., Any]) -> Iterable[bytes]:
    message = "Too many Socket.IO connections are open from this address."
    return _answer(
        start_response,
        "429 Too Many Requests",
        "TOO_MANY_CLIENTS",
        message,
        ("Retry-After", str(RETRY_AFTER_S)),
    )


def _refuse_client(start_response: Callable[..., Any]) -> Iterable[bytes]:
    message = "All Socket.IO connections are in use; try again in a few seconds."
    return _answer(
        start_response,
        "503 Service Unavailable",
        "TOO_MANY_CLIENTS",
        message,
        ("Retry-After", str(RETRY_AFTER_S)),
    )


def _refuse_body(start_response: Callable[..., Any]) -> Iterable[bytes]:
    message = "These are no Engine.IO packets, or too many; the connection has ended."
    return _answer(start_response, "400 Bad Request", "INVALID_REQUEST", message)


def _answer(
    start_response: Callable[..., Any], status: str, code: str, message: str, *more: tuple[str, str]
) -> Iterable[bytes]:
    body = orjson.dumps({"code": code, "message": message})
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more]
    start_response(status, headers)
    return [body]
