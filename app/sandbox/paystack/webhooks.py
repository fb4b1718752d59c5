"""Paystack's news to the merchant: `{"event": …, "data": …}`, signed with the API's secret key."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan

RETRIES_S: Final = (3600.0,) * 10
"""Test mode: every hour for ten hours."""


class Webhooks:
    """Sends to the webhook URL of the dashboard; nothing at all while none is set."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def send(
        self,
        event: str,
        data: Mapping[str, Any],
        plan: Plan,
        *,
        after_s: float = 0.0,
        is_early: bool = False,
    ) -> None:
        """`is_early`: delivered before this returns, that is, before the API's answer goes out."""
        url = self._sandbox.dashboard.webhook_url("paystack")
        if not url:
            return
        body = json.dumps({"event": event, "data": data}, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "x-paystack-signature": sign(self._sandbox.dashboard.credential("paystack", "secret_key"), body),
        }
        deliver = self._sandbox.courier.send_now if is_early else self._sandbox.courier.send
        deliver("paystack", url, body=body, headers=headers, after_s=after_s, plan=plan, retries=RETRIES_S)


def sign(secret_key: str, body: bytes) -> str:
    return hmac.new(secret_key.encode(), body, hashlib.sha512).hexdigest()
