"""What the customer does: pays by test card, and answers the bank's 3-D Secure challenge."""

from __future__ import annotations

import structlog

from app.sandbox.faults import Plan
from app.sandbox.store import Document
from app.sandbox.stripe import currencies
from app.sandbox.stripe.cards import CARDS_BY_AMOUNT, VISA, card_for_outcome
from app.sandbox.stripe.errors import ApiError
from app.sandbox.stripe.payments import Intents
from app.sandbox.stripe.sessions import Sessions

log = structlog.get_logger(__name__)


class Customer:
    """The customer of sessions and of PaymentIntents without a session."""

    def __init__(self, intents: Intents, sessions: Sessions) -> None:
        self._intents, self._sessions = intents, sessions

    def authenticate(self, intent_id: str, *, is_passed: bool) -> Document:
        """The customer passes or fails 3-D Secure. Raises ApiError when the bank waits for no answer."""
        intent = self._intents.get(intent_id)
        if intent["_session"] is not None:
            return self._sessions.authenticate(intent, is_passed=is_passed)
        return self._intents.authenticate(intent_id, is_passed=is_passed)

    def act(self, id: str) -> None:
        """What the simulated customer does: pays, unless the charge has another outcome. id: of session or intent."""
        try:
            if id.startswith("cs_"):
                session = self._sessions.get(id)
                outcome = Plan.from_json(session["_plan"]).outcome
                amount = currencies.major(session["amount_total"], session["currency"].upper())
                self._sessions.pay(id, card_for_outcome(outcome, CARDS_BY_AMOUNT.get(amount, VISA)))
            else:
                outcome = Plan.from_json(self._intents.get(id)["_plan"]).outcome
                self.authenticate(id, is_passed=outcome != "cancelled")
        except ApiError as error:
            # The session has expired, or a user was faster.
            log.info("sandbox.stripe.customer_late", id=id, reason=error.message)
