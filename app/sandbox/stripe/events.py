"""What happened, kept as events and sent as signed webhooks.

Stripe delivers at least once and in no promised order; three tries are made here where Stripe goes on for three days.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app import clock
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.stripe.objects import Document, new_id, shown

API_VERSION: Final = "2026-10-28.endive"
RETRIES_S: Final = (2.0, 10.0, 60.0)
REORDER_STEP_S: Final = 1.0
"""Between two events that arrive in the wrong order."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened to one object, with the members that were different before."""

    type: str
    object: Mapping[str, Any]
    previous: Mapping[str, Any] | None = None


def signature(secret: str, body: bytes, *, timestamp: int) -> str:
    """The `Stripe-Signature` header: HMAC-SHA256 of `t.body` under the whole endpoint secret."""
    signed = str(timestamp).encode() + b"." + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Events:
    """Keeps every event; sends it when the merchant has an endpoint."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def publish(self, news: Sequence[News], plan: Plan) -> None:
        """Keep and send `news`, oldest first, or newest first where the plan reorders."""
        events = [self._keep(item) for item in news]
        url = self._sandbox.dashboard.webhook_url("stripe")
        if url is None:
            return
        if plan.callback_reorder:
            events.reverse()
        for place, event in enumerate(events):
            self._send(url, event, plan, after_s=place * REORDER_STEP_S if plan.callback_reorder else 0)

    def _keep(self, news: News) -> Document:
        data: Document = {"object": shown(news.object)}
        if news.previous is not None:
            data["previous_attributes"] = dict(news.previous)
        event: Document = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": int(self._sandbox.now().timestamp()),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": news.type,
        }
        self._sandbox.store.insert("stripe", "event", event["id"], event)
        return event

    def _send(self, url: str, event: Document, plan: Plan, *, after_s: float) -> None:
        body = json.dumps(event, indent=2).encode()
        secret = self._sandbox.dashboard.credential("stripe", "webhook_secret")
        # The receiver checks the signature's age by its own clock, which /sandbox/control does not move.
        signed = signature(secret, body, timestamp=int(clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signed,
        }
        deliver = self._sandbox.courier.send_now if plan.callback_early else self._sandbox.courier.send
        deliver("stripe", url, body=body, headers=headers, after_s=after_s, plan=plan, retries=RETRIES_S)
