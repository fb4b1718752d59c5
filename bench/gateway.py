"""The stack with its worker and the simulators, and one merchant: for measuring payments through providers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from app import create_app
from app.services.tenants import tenants
from bench.client import Request
from bench.stack import Stack, running_stack
from launcher.addresses import local_addresses
from launcher.children import wait_until

CURRENCIES = {
    "cpay": "USD",
    "mpesa": "KES",
    "stripe": "USD",
    "chapa": "ETB",
    "paystack": "NGN",
    "pesapal": "KES",
}

FINAL_TIMEOUT_S = 180.0


@dataclass
class Gateway:
    """A running stack that takes payments through providers. api_key: the merchant's."""

    stack: Stack
    api_key: str

    def initialize(self, provider: str) -> Request:
        """`POST /payments/initialize` of 100, for bench.client."""
        body = {
            "provider": provider,
            "amount": 100,
            "currency": CURRENCIES[provider],
            "customer": {"phone": "+254700000000", "email": "customer@example.com", "name": "John Doe"},
        }
        content = json.dumps(body).encode()
        before = (
            f"POST /api/v1/payments/initialize HTTP/1.1\r\nHost: 127.0.0.1:{self.stack.port}\r\n"
            f"X-TENANT-API-KEY: {self.api_key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nIdempotency-Key: "
        )
        return before.encode(), b"\r\n\r\n" + content

    def control(self, wanted: dict[str, Any]) -> None:
        """Steer the simulators (docs/sandbox.md)."""
        request = urllib.request.Request(
            f"{self.stack.sandbox_url}/sandbox/control",
            data=json.dumps(wanted).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10):
            return

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        with closing(self.stack.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query, arguments)
            return cursor.fetchall()

    def wait_until_all_completed(self) -> None:
        """Raises LauncherError when a payment does not become completed."""
        wait_until(self._all_completed, "Some payments did not become completed.", timeout_s=FINAL_TIMEOUT_S)

    def _all_completed(self) -> bool:
        self.stack.check_running()
        return not self.rows("SELECT FROM payments WHERE status <> 'completed' LIMIT 1")


@contextmanager
def running_gateway(**settings: str) -> Iterator[Gateway]:
    """A stack with every process; simulated customers pay at once. settings: environment variables that differ.

    Demo mode, because production starts no simulators; its threads and pools are production's.
    """
    used = {
        **local_addresses(),
        "GATEWAY_ENV": "demo",
        "LOG_LEVEL": "ERROR",
        "DB_POOL_SIZE": "16",
        "RATE_LIMIT_MERCHANT": "100000000/minute",
        "SANDBOX_AUTOPAY_S": "0",
        **settings,
    }
    with running_stack(**used) as stack:
        stack.start("sandbox", "worker")
        app = create_app(stack.environment)
        with app.app_context():
            _, api_key = tenants.create_tenant("Bench", "growth")
        yield Gateway(stack, api_key)
