"""Everything of one Stripe account in one place, and what its customers do when nobody clicks."""

from __future__ import annotations

from typing import Any

import structlog

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.stripe.cards import VISA, by_fate
from app.sandbox.stripe.disputes import Disputes
from app.sandbox.stripe.errors import ApiError, missing
from app.sandbox.stripe.events import Events
from app.sandbox.stripe.idempotency import IdempotencyKeys
from app.sandbox.stripe.intent_calls import IntentCalls
from app.sandbox.stripe.intents import Intents
from app.sandbox.stripe.methods import PaymentMethods
from app.sandbox.stripe.objects import Document
from app.sandbox.stripe.refunds import Refunds
from app.sandbox.stripe.sessions import Sessions

log = structlog.get_logger(__name__)


class Desk:
    """The account's objects, over the sandbox's store."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.keys = IdempotencyKeys(sandbox)
        self.events = Events(sandbox)
        self.methods = PaymentMethods(sandbox)
        self.disputes = Disputes(sandbox, self.events)
        self.intents = Intents(sandbox, self.events, self.methods, self.disputes)
        self.intent_calls = IntentCalls(sandbox, self.intents, self.methods)
        self.sessions = Sessions(sandbox, self.events, self.methods, self.intents)
        self.refunds = Refunds(sandbox, self.events)

    def get(self, kind: str, id: str, *, noun: str | None = None) -> Document:
        """The object. Raises 404."""
        found = self.sandbox.store.get("stripe", kind, id)
        if found is None:
            raise missing(noun or kind, id)
        return found

    def balance(self) -> Document:
        """`GET /v1/balance`: what was collected, less what was given back; nothing is ever paid out here."""
        totals: dict[str, int] = {}
        for charge in self.sandbox.store.find("stripe", "charge", status="succeeded"):
            left = charge["amount_captured"] - charge["amount_refunded"]
            totals[charge["currency"]] = totals.get(charge["currency"], 0) + (
                0 if charge["disputed"] else left
            )
        available = [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in sorted(totals.items())
        ]
        return {"object": "balance", "available": available, "livemode": False, "pending": []}

    def authenticate(self, intent_id: str, *, is_passed: bool) -> Document:
        """The customer answers the bank's question (3-D Secure). Raises when nothing was asked."""
        intent = self.intents.get(intent_id)
        if intent["_session"] is not None:
            return self.sessions.authenticate(intent, is_passed=is_passed)
        return self.intents.authenticate(intent_id, is_passed=is_passed)

    def willing_customer(self, id: str) -> None:
        """What a customer does who pays, or does what the charge's magic amount says."""
        try:
            self._act(id)
        except ApiError as error:
            # Somebody was faster: the session has expired, or was paid on its page.
            log.info("sandbox.stripe.customer_late", id=id, reason=error.message)

    def _act(self, id: str) -> None:
        if id.startswith("cs_"):
            fate = plan_of(self.sessions.get(id)).fate
            self.sessions.pay(id, by_fate(fate, VISA))
        else:
            fate = plan_of(self.intents.get(id)).fate
            self.authenticate(id, is_passed=fate != "cancelled")


def plan_of(document: dict[str, Any]) -> Plan:
    """What the sandbox was told to do to this charge."""
    return Plan.from_json(document["_plan"])
