"""The house with its worker and the simulators, and one merchant: for measuring payments through providers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from app import create_app
from app.services.tenants import tenants
from bench.client import Request
from bench.house import House, free_port, is_live, running
from launcher.children import wait_until

CURRENCIES = {
    "cpay": "USD", "mpesa": "KES", "stripe": "USD", "chapa": "ETB", "paystack": "NGN", "pesapal": "KES",
}  # fmt: skip

FINAL_TIMEOUT_S = 180.0


@dataclass
class Gateway:
    """A running house that takes payments through providers. api_key: the merchant's."""

    house: House
    sandbox_port: int
    api_key: str

    def initialize(self, provider: str) -> Request:
        """`POST /payments/initialize` of 100, for bench.client."""
        body = {
            "provider": provider, "amount": 100, "currency": CURRENCIES[provider],
            "customer": {"phone": "+254700000000", "email": "customer@example.com", "name": "John Doe"},
        }  # fmt: skip
        content = json.dumps(body).encode()
        before = (
            f"POST /api/v1/payments/initialize HTTP/1.1\r\nHost: 127.0.0.1:{self.house.port}\r\n"
            f"X-TENANT-API-KEY: {self.api_key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nIdempotency-Key: "
        )
        return before.encode(), b"\r\n\r\n" + content

    def control(self, wanted: dict[str, Any]) -> None:
        """Steer the simulators (docs/sandbox.md)."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.sandbox_port}/sandbox/control",
            data=json.dumps(wanted).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10):
            return

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        with closing(self.house.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query, arguments)
            return cursor.fetchall()

    def wait_until_all_are_paid(self) -> None:
        """Raises LauncherError when a payment does not become final."""
        wait_until(self._all_are_paid, "Some payments do not become completed.", timeout_s=FINAL_TIMEOUT_S)

    def _all_are_paid(self) -> bool:
        self.house.check_alive()
        return not self.rows("SELECT FROM payments WHERE status <> 'completed' LIMIT 1")


@contextmanager
def running_gateway(**settings: str) -> Iterator[Gateway]:
    """Everything runs, customers pay at once. settings: environment variables that differ.

    Demo mode, because production starts no simulators; its threads and pools are production's.
    """
    with running() as house, ExitStack() as stack:
        port = free_port()
        sandbox = f"http://127.0.0.1:{port}"
        house.environment |= {
            "GATEWAY_ENV": "demo", "LOG_LEVEL": "ERROR", "DB_POOL_SIZE": "16", "RATE_LIMIT_MERCHANT": "100000000/minute",
            "PUBLIC_URL": f"http://127.0.0.1:{house.port}", "SANDBOX_BIND": f"127.0.0.1:{port}", "SANDBOX_URL": sandbox,
            "SANDBOX_WEBHOOK_BASE": f"http://127.0.0.1:{house.port}/api/v1/webhooks", "SANDBOX_AUTOPAY_S": "0",
            **settings,
        }  # fmt: skip
        house.stop("web")
        house.start("web")
        for name in ("sandbox", "worker"):
            house.start(name)
            stack.callback(house.stop, name)
        wait_until(
            lambda: house.check_alive() or (is_live(house.port) and is_live(port, "/sandbox/health")),
            "The gateway or the simulators did not answer.",
            timeout_s=120,
        )
        app = create_app(house.environment)
        with app.app_context():
            _, api_key = tenants.create_tenant("Bench", "growth")
        yield Gateway(house, port, api_key)
