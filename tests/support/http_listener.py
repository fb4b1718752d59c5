"""A real HTTP server on 127.0.0.1: the base of callback receivers, scripted providers and the fault proxy."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One request that came. headers: names in lower case. path: with the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HttpListener:
    """Listens while the block lasts, on a port of its own. Subclasses say what is answered (`serve`)."""

    url: str = ""
    protocol = "HTTP/1.1"

    def __enter__(self) -> Self:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = owner.protocol

            def take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.serve(Received(self.command, self.path, headers, body), self)

            do_GET = do_POST = do_PUT = take

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: what came is kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def speak_tls(self, certificate: Path) -> None:
        """From now on only TLS is understood. certificate: a file with key and certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake is each connection's own: one that fails must not end the server.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._server.handle_error = lambda *_: None  # a caller that refuses the certificate is no failure
        self.url = self.url.replace("http://", "https://")

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, received: Received, handler: BaseHTTPRequestHandler) -> None:
        raise NotImplementedError


def say(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """An answer of JSON. headers: more of them, `_` for `-`."""
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
