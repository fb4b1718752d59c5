"""Chapa's news to the merchant: flat JSON, signed twice, repeated every ten minutes for 72 hours."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan

RETRIES_S: Final = (600.0,) * (72 * 6)


class Webhooks:
    """Sends to the webhook URL of the dashboard; nothing at all while none is set."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def send(
        self, event: Mapping[str, Any], plan: Plan, *, after_s: float = 0.0, is_early: bool = False
    ) -> None:
        """`is_early`: delivered before this returns, that is, before the API's answer goes out."""
        url = self._sandbox.dashboard.webhook_url("chapa")
        if not url:
            return
        body = encode(event)
        headers = {
            "Content-Type": "application/json",
            **signatures(self._sandbox.dashboard.credential("chapa", "webhook_secret"), body),
        }
        deliver = self._sandbox.courier.send_now if is_early else self._sandbox.courier.send
        deliver("chapa", url, body=body, headers=headers, after_s=after_s, plan=plan, retries=RETRIES_S)

    def call_back(self, url: str, payment: Mapping[str, Any], plan: Plan, *, is_early: bool = False) -> None:
        """GET the payment's own callback_url: unsigned, once, in the names most clients know."""
        names = {
            "trx_ref": payment["tx_ref"],
            "ref_id": payment["reference"],
            "status": payment["status"],
        }
        joint = "&" if "?" in url else "?"
        deliver = self._sandbox.courier.send_now if is_early else self._sandbox.courier.send
        deliver("chapa", f"{url}{joint}{urlencode(names)}", method="GET", plan=plan)


def encode(event: Mapping[str, Any]) -> bytes:
    """JSON without spaces: the bytes that are signed are the bytes that are sent."""
    return json.dumps(event, separators=(",", ":")).encode()


def signatures(secret: str, body: bytes) -> dict[str, str]:
    """`x-chapa-signature` covers the body; `chapa-signature` is the secret signed by itself, always the same."""
    return {"x-chapa-signature": sign(secret, body), "chapa-signature": sign(secret, secret.encode())}


def sign(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
