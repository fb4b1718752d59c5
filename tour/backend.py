"""A merchant's backend that calls the Processing API with the document's keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import requests

from tour.client import GatewayClient

KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "standard": "demo_key_4eC39HqLyjWDarjtT1zdp7dc",
        "admin": "demo_key_BQokikJOvBiI2HlWgH4olfQ2",
        "read-only": "demo_key_readonly_9f8g7h6j5k4l3m2n",
        "expired": "demo_key_expired_key_do_not_use",
    }
)
PAYMENT: Final = MappingProxyType(
    {
        "amount": 49.99,
        "currency": "USD",
        "description": "Order #12345 - Premium Widget",
        "customer_email": "customer@example.com",
        "payment_method": "card",
        "metadata": {"order_id": "12345", "sku": "WIDGET-PRO-001"},
    }
)


@dataclass(frozen=True, slots=True)
class Backend:
    """A merchant's backend."""

    client: GatewayClient

    def call(
        self, method: str, path: str, *, who: str | None = "standard", **options: Any
    ) -> requests.Response:
        """who: one of KEYS; None for no key. Raises Difference."""
        token = KEYS[who] if who else None
        return self.client.call(method, path, token=token, prefix="/v1", **options)

    def pay(self, *, key: str | None = None, **differing: Any) -> requests.Response:
        return self.call("POST", "/payments", key=key, json=dict(PAYMENT) | differing)
