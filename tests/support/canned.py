"""A provider with canned answers: a real HTTP server with one prepared answer for each request."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.support.http_listener import HttpListener, Received


@dataclass(frozen=True)
class Canned:
    """status, body: the answer; a body that is no text is sent as JSON. lost: the connection is closed instead, after
    `sent` bytes of the answer. headers: added."""

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    hangs: bool = False

    def content(self) -> bytes:
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


LOST = Canned(lost=True)
"""The request is read, and the connection closed without an answer."""

CUT = Canned(body='{"status":"200",', lost=True)
"""The request is read, and the connection closed after half an answer."""

HANGS = Canned(hangs=True)
"""The request is read, and no answer is sent until the caller's time-out."""


@dataclass
class CannedServer(HttpListener):
    """Answers requests in the order of `answers`; a request more than that is a failure of the test."""

    answers: list[Canned] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._over = threading.Event()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        super().__exit__(*error)

    def will(self, *answers: Canned) -> None:
        """The next answers, instead of any left over."""
        self.answers[:] = answers
        self.received.clear()

    def paths(self) -> list[str]:
        """What was asked for, without queries."""
        return [one.path.partition("?")[0] for one in self.received]

    def serve(self, received: Received, handler: BaseHTTPRequestHandler) -> None:
        self.received.append(received)
        answer = self.answers.pop(0) if self.answers else Canned(599, "no answer was prepared")
        content = answer.content()
        if answer.hangs:
            self._over.wait(20)
        if (answer.lost and not content) or answer.hangs:
            return _close(handler)
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content) + (100 if answer.lost else 0)))
        handler.end_headers()
        handler.wfile.write(content)
        if answer.lost:
            handler.wfile.flush()
            _close(handler)
        return None


def _close(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    try:
        handler.connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
