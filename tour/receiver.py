"""A merchant's own server for the tour: it receives webhooks on this machine and verifies them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tour.client import wait_until

RECEIVING_S = 10.0


@dataclass
class WebhookReceiver:
    """url: where it listens. received: bodies and headers, in the order in which they came."""

    url: str
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def wait_for(self, count: int) -> None:
        """Until so many have come. Raises Difference."""
        wait_until(
            f"Webhook {count}", lambda: True if len(self.received) >= count else None, timeout_s=RECEIVING_S
        )

    def verified(self, number: int, secret: str) -> Any:
        """The message that came as the number-th; None when its signature does not verify."""
        headers, body = self.received[number]
        try:
            return Webhook(secret).verify(body, headers)
        except WebhookVerificationError:
            return None


@contextmanager
def receiving() -> Iterator[WebhookReceiver]:
    received: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """The tour prints what it checks, not each request."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield WebhookReceiver(f"http://127.0.0.1:{server.server_port}/webhooks/payments", received)
    finally:
        server.shutdown()
        server.server_close()
