"""A provider that says what it is told to: a real HTTP server with one prepared answer for each request."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.sandbox import Received


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
"""Taken, and no byte of an answer."""

CUT = Canned(body='{"status":"200",', lost=True)
"""Taken, and half an answer."""

HANGS = Canned(hangs=True)
"""Taken, and nothing until the caller has given up."""


@dataclass
class CannedServer:
    """Answers requests in the order of `answers`; a request more than that is a failure of the test."""

    answers: list[Canned] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> CannedServer:
        canned = self
        self._over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                canned._answer(self)

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: what came is in `received`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def will(self, *answers: Canned) -> None:
        """The next answers, instead of any left over."""
        self.answers[:] = answers
        self.received.clear()

    def paths(self) -> list[str]:
        """What was asked for, without queries."""
        return [one.path.partition("?")[0] for one in self.received]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.received.append(Received(handler.command, handler.path, headers, body))
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
