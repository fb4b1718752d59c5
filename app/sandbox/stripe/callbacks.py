"""Events: they are stored, and sent as signed webhooks.

Stripe delivers an event at least once, in any order. It retries for three days; the simulator retries three times.
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
from app.sandbox.store import Document
from app.sandbox.stripe.errors import missing
from app.sandbox.stripe.objects import new_id, public

API_VERSION: Final = "2026-10-28.endive"
RETRIES_S: Final = (2.0, 10.0, 60.0)
REORDER_STEP_S: Final = 1.0
"""Seconds between two events that arrive in the wrong order."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change of one object. previous: the members that changed, with their earlier values."""

    type: str
    object: Mapping[str, Any]
    previous: Mapping[str, Any] | None = None


def signature(secret: str, body: bytes, *, timestamp: int) -> str:
    """The `Stripe-Signature` header: the HMAC-SHA256 of `t.body` with the endpoint's whole secret as its key."""
    signed = str(timestamp).encode() + b"." + body
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Callbacks:
    """Stores every event, and sends it when the merchant has an endpoint."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def get(self, id: str) -> Document:
        """The event. Raises 404."""
        event = self._sandbox.store.get("stripe", "event", id)
        if event is None:
            raise missing("event", id)
        return event

    def publish(self, events: Sequence[Event], plan: Plan) -> None:
        """Store and send `events`, oldest first, or newest first where the plan reorders callbacks."""
        documents = [self._insert(event) for event in events]
        url = self._sandbox.dashboard.webhook_url("stripe")
        if url is None:
            return
        if plan.callback_reorder:
            documents.reverse()
        for position, document in enumerate(documents):
            after_s = position * REORDER_STEP_S if plan.callback_reorder else 0
            self._send(url, document, plan, after_s=after_s)

    def _insert(self, event: Event) -> Document:
        data: Document = {"object": public(event.object)}
        if event.previous is not None:
            data["previous_attributes"] = dict(event.previous)
        document: Document = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": int(self._sandbox.now().timestamp()),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event.type,
        }
        self._sandbox.store.insert("stripe", "event", document["id"], document)
        return document

    def _send(self, url: str, document: Document, plan: Plan, *, after_s: float) -> None:
        body = json.dumps(document, indent=2).encode()
        secret = self._sandbox.dashboard.credential("stripe", "webhook_secret")
        # The receiver checks the age of the signature by its own clock, which /sandbox/control does not advance.
        signed = signature(secret, body, timestamp=int(clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signed,
        }
        self._sandbox.callbacks.send(
            "stripe",
            url,
            body=body,
            headers=headers,
            after_s=after_s,
            plan=plan,
            retries=RETRIES_S,
            is_early=plan.callback_early,
        )
