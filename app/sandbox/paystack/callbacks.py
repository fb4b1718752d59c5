"""Paystack's webhooks: `{"event": …, "data": …}`, signed with the API's secret key."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan

RETRIES_S: Final = (3600.0,) * 10
"""In test mode, every hour for ten hours."""


class Callbacks:
    """Sends webhooks to the URL in the merchant's dashboard, when one is set."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def send_webhook(
        self,
        event: str,
        data: Mapping[str, Any],
        plan: Plan,
        *,
        after_s: float = 0.0,
        is_early: bool = False,
    ) -> None:
        """Send a webhook. is_early: before this returns, that is, before the API's answer."""
        url = self._sandbox.dashboard.webhook_url("paystack")
        if not url:
            return
        body = json.dumps({"event": event, "data": data}, separators=(",", ":")).encode()
        signature = sign(self._sandbox.dashboard.credential("paystack", "secret_key"), body)
        self._sandbox.callbacks.send(
            "paystack",
            url,
            body=body,
            headers={"Content-Type": "application/json", "x-paystack-signature": signature},
            after_s=after_s,
            plan=plan,
            retries=RETRIES_S,
            is_early=is_early,
        )


def sign(secret_key: str, body: bytes) -> str:
    """The HMAC-SHA512 of the body."""
    return hmac.new(secret_key.encode(), body, hashlib.sha512).hexdigest()
