"""Two real HTTP servers of the suite: a proxy between adapter and simulator that alters answers, and an inbox that
receives
the callbacks and answers them as the gateway does."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.providers.base import Acknowledgement, Callback, CallbackEvent, Provider
from app.providers.errors import CallbackError
from tests.support.http_listener import HttpListener, Received


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request that came. target: path and query; headers: names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        """Method and path, without the query."""
        return f"{self.method} {urlsplit(self.target).path}"


class Answering(HttpListener):
    """Answers requests; a client that disconnects meanwhile is not an error."""

    protocol = "HTTP/1.0"

    def serve(self, received: Received, handler: BaseHTTPRequestHandler) -> None:
        try:
            self.answer(Asked(received.method, received.path, received.headers, received.body), handler)
        except (OSError, http.client.HTTPException):
            handler.close_connection = True  # the client or the simulator closed the connection

    def answer(self, asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        raise NotImplementedError


def send(handler: BaseHTTPRequestHandler, reply: Reply, *, length: int | None = None) -> None:
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(reply.body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(reply.body)
    handler.wfile.flush()


Fault = Callable[[BaseHTTPRequestHandler, Callable[[], Reply]], None]
"""Answers a request; the second argument passes it on to the simulator and returns what that says."""


def instead(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Not passed on: this is the answer."""
    named = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return lambda handler, pass_on: send(handler, Reply(status, body, named))


def changed(change: Callable[[dict[str, Any]], None]) -> Fault:
    """Passed on; the JSON of the answer changed."""

    def inject(handler: BaseHTTPRequestHandler, pass_on: Callable[[], Reply]) -> None:
        reply = pass_on()
        body = json.loads(reply.body)
        change(body)
        send(handler, Reply(reply.status, json.dumps(body).encode(), reply.headers))

    return inject


def cut(handler: BaseHTTPRequestHandler, pass_on: Callable[[], Reply]) -> None:
    """Passed on; the connection ends after the first half of the answer."""
    reply = pass_on()
    half = Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers)
    send(handler, half, length=len(reply.body))


def hung_up(handler: BaseHTTPRequestHandler, pass_on: Callable[[], Reply]) -> None:
    """Passed on; not a byte of the answer arrives."""
    pass_on()


def dripping(handler: BaseHTTPRequestHandler, pass_on: Callable[[], Reply]) -> None:
    """Passed on; a byte of the answer every 50 ms: each in time, the whole never. Until the client disconnects."""
    reply = pass_on()
    send(handler, Reply(reply.status, b"", reply.headers), length=100_000)
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def packed(handler: BaseHTTPRequestHandler, pass_on: Callable[[], Reply]) -> None:
    """Passed on; the answer comes compressed and in chunks of 7 bytes, as from the networks before most providers."""
    reply = pass_on()
    handler.protocol_version = "HTTP/1.1"
    handler.close_connection = True
    handler.send_response(reply.status)
    for name, value in {**reply.headers, "Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}.items():
        handler.send_header(name, value)
    handler.end_headers()
    content = gzip.compress(reply.body)
    for start in range(0, len(content), 7):
        piece = content[start : start + 7]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")
    handler.wfile.flush()


@dataclass
class FaultProxy(Answering):
    """Between the adapters and the simulators at `target`. seen: every request of an adapter's.

    `inject(path, fault)` applies to requests whose "METHOD /path" matches; `forget()` removes it.
    """

    target: str
    seen: list[Asked] = field(default_factory=list)
    _orders: list[tuple[re.Pattern[str], Fault]] = field(default_factory=list)

    def inject(self, path: str, fault: Fault) -> None:
        self._orders.append((re.compile(path), fault))

    def forget(self) -> None:
        self._orders.clear()
        self.seen.clear()

    def count(self, path: str) -> int:
        """How many requests like this were seen."""
        return sum(1 for asked in self.seen if re.search(path, asked.line))

    def answer(self, asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append(asked)
        for path, fault in self._orders:
            if path.search(asked.line):
                fault(handler, lambda: self._pass_on(asked))
                return
        send(handler, self._pass_on(asked))

    def _pass_on(self, asked: Asked) -> Reply:
        address = urlsplit(self.target)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
        try:
            headers = {
                name: value for name, value in asked.headers.items() if name not in ("host", "connection")
            }
            connection.request(
                asked.method, asked.target, asked.body or None, headers | {"connection": "close"}
            )
            answer = connection.getresponse()
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server")
            }
            return Reply(answer.status, answer.read(), kept)
        finally:
            connection.close()


@dataclass(frozen=True)
class ReceivedCallback:
    """A callback that came, and what its adapter makes of it."""

    path: str
    callback: Callback
    event: CallbackEvent


@dataclass
class Inbox(Answering):
    """Where callbacks come to: `/hooks/<provider>…`, read by `readers[provider]` and answered as that says."""

    readers: dict[str, Provider] = field(default_factory=dict)
    received: list[ReceivedCallback] = field(default_factory=list)
    refused: list[tuple[str, CallbackError]] = field(default_factory=list)

    def answer(self, asked: Asked, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(asked.target)
        reader = self.readers[parts.path.split("/")[2]]
        callback = Callback(asked.method, asked.headers, dict(parse_qsl(parts.query)), asked.body)
        try:
            event = reader.read_callback(callback)
        except CallbackError as error:
            self.refused.append((asked.target, error))
            send(handler, Reply(401, b""))
            return
        self.received.append(ReceivedCallback(parts.path, callback, event))
        send(handler, _reply(reader.acknowledge(event)))


def _reply(answer: Acknowledgement) -> Reply:
    if isinstance(answer.body, str):
        return Reply(answer.status, answer.body.encode(), {"Content-Type": "text/plain"})
    return Reply(answer.status, json.dumps(dict(answer.body)).encode(), {"Content-Type": "application/json"})
