"""Chapa's callbacks to the merchant.

Webhooks are flat JSON, signed twice, and sent until they are answered with 200: at most ten times, ten minutes apart (Chapa's page
on webhooks; its limit of 72 hours is never reached). A payment's callback_url gets an unsigned GET, once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.http import with_query

MAX_SENDINGS: Final = 10
RETRIES_S: Final = (600.0,) * (MAX_SENDINGS - 1)


class Callbacks:
    """Sends webhooks to the URL in the merchant's dashboard, when one is set."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def send_webhook(
        self, event: Mapping[str, Any], plan: Plan, *, after_s: float = 0.0, is_early: bool = False
    ) -> None:
        """Send a webhook. is_early: before this returns, that is, before the API's answer."""
        url = self._sandbox.dashboard.webhook_url("chapa")
        if not url:
            return
        body = encode(event)
        secret = self._sandbox.dashboard.credential("chapa", "webhook_secret")
        self._sandbox.callbacks.send(
            "chapa",
            url,
            body=body,
            headers={"Content-Type": "application/json", **signatures(secret, body)},
            after_s=after_s,
            plan=plan,
            retries=RETRIES_S,
            is_early=is_early,
        )

    def call_back(self, url: str, payment: Mapping[str, Any], plan: Plan, *, is_early: bool = False) -> None:
        """GET the payment's callback_url."""
        parameters = {
            "trx_ref": payment["tx_ref"],
            "ref_id": payment["reference"],
            "status": payment["status"],
        }
        self._sandbox.callbacks.send(
            "chapa", with_query(url, parameters), method="GET", plan=plan, is_early=is_early
        )


def encode(event: Mapping[str, Any]) -> bytes:
    """The bytes that are signed and sent: JSON without spaces."""
    return json.dumps(event, separators=(",", ":")).encode()


def signatures(secret: str, body: bytes) -> dict[str, str]:
    """`x-chapa-signature` signs the body; `chapa-signature` signs the secret itself and is always the same."""
    return {"x-chapa-signature": sign(secret, body), "chapa-signature": sign(secret, secret.encode())}


def sign(secret: str, message: bytes) -> str:
    """The HMAC-SHA256 of `message`."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
