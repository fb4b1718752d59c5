"""PaymentIntents: an amount that a customer is to pay, in one or more attempts.

The statuses, and what each call requires: docs.stripe.com/payments/paymentintents/lifecycle. A declined attempt is not
final: it returns the PaymentIntent to `requires_payment_method`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.store import Document
from app.sandbox.stripe import currencies, objects
from app.sandbox.stripe.callbacks import Callbacks, Event
from app.sandbox.stripe.cards import AUTHENTICATION_REQUIRED, CARDS_BY_OUTCOME, VISA, Card, card_for_outcome
from app.sandbox.stripe.disputes import Disputes
from app.sandbox.stripe.errors import ApiError, declined, missing, refused
from app.sandbox.stripe.payment_methods import PaymentMethods

PAYABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE: Final = (*PAYABLE, "requires_capture", "processing")
AUTHENTICATION_FAILED: Final = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this PaymentIntent again."
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one confirmation. events: to be published; decline: the error when the bank declined."""

    intent: Document
    events: list[Event]
    decline: ApiError | None = None


class Intents:
    """PaymentIntents and the charges of their attempts."""

    def __init__(
        self, sandbox: Sandbox, callbacks: Callbacks, methods: PaymentMethods, disputes: Disputes
    ) -> None:
        self._sandbox, self._callbacks, self._methods, self._disputes = sandbox, callbacks, methods, disputes

    def get(self, id: str) -> Document:
        """The PaymentIntent. Raises 404."""
        found = self._sandbox.store.get("stripe", "payment_intent", id)
        if found is None:
            raise missing("payment_intent", id, param="intent")
        return found

    def insert(self, document: Document) -> None:
        """Store a new PaymentIntent. An existing one is not changed."""
        self._sandbox.store.insert("stripe", "payment_intent", document["id"], document)

    # --- an attempt

    def confirm(self, id: str, plan: Plan) -> Document:
        """Attempt to pay with the PaymentIntent's payment method. Raises 402 when it is declined."""
        intent = self.get(id)
        require_status(intent, PAYABLE, "confirm")
        if intent["payment_method"] is None:
            raise refused(
                "You cannot confirm this PaymentIntent because it's missing a payment method. To confirm the "
                f"PaymentIntent with {id}, specify a payment method attached to this customer.",
                code="payment_intent_unexpected_state",
                payment_intent=objects.public(intent),
            )
        card = card_for_outcome(plan.outcome, self._methods.resolve(intent["payment_method"])[1])
        earlier = self._earlier_decline(id, card, plan)
        attempt = self.attempt(id, card, plan)
        self._callbacks.publish([*earlier, *attempt.events], plan)
        if attempt.decline is not None:
            raise attempt.decline
        if attempt.intent["status"] == "requires_action" and plan.outcome != "timed_out":
            self._sandbox.customers.schedule("stripe", id)
        return attempt.intent

    def _earlier_decline(self, id: str, card: Card, plan: Plan) -> list[Event]:
        """The events of a declined attempt, where the plan reorders callbacks and the card pays."""
        if not plan.callback_reorder or card.outcome != "paid":
            return []
        method = self.get(id)["payment_method"]
        events = self.attempt(id, CARDS_BY_OUTCOME["declined"], plan).events

        def use_again(intent: Document) -> None:
            intent["payment_method"] = method

        self._sandbox.store.update("stripe", "payment_intent", id, use_again)
        return events

    def attempt(self, id: str, card: Card, plan: Plan) -> Attempt:
        """Make an attempt with `card`; its events are not published yet. Raises when the PaymentIntent cannot be paid."""
        if card.outcome == "declined":
            return self._decline(id, card)
        if card.outcome == "authenticate" and self.get(id)["_is_off_session"]:
            return self._decline(id, AUTHENTICATION_REQUIRED)
        if card.outcome == "authenticate":
            return self._challenge(id)
        return self._succeed(id, card, plan)

    def _decline(self, id: str, card: Card) -> Attempt:
        charge_id = objects.new_id("ch")

        def change(intent: Document) -> Document:
            require_status(intent, PAYABLE, "confirm")
            intent.update(
                status="requires_payment_method",
                next_action=None,
                latest_charge=charge_id,
                last_payment_error={
                    "charge": charge_id,
                    "code": card.code,
                    "decline_code": card.decline_code,
                    "message": card.message,
                    "payment_method": {
                        "id": intent["payment_method"],
                        "object": "payment_method",
                        "type": "card",
                    },
                    "type": "card_error",
                },
            )
            self._insert_charge(intent, card, charge_id)
            intent["payment_method"] = None
            return dict(intent)

        intent = self._sandbox.store.update("stripe", "payment_intent", id, change)
        error = declined(
            card.code,
            card.decline_code,
            card.message,
            charge=charge_id,
            payment_intent=objects.public(intent),
        )
        return Attempt(intent, [Event("payment_intent.payment_failed", intent)], error)

    def _challenge(self, id: str) -> Attempt:
        page = f"{self._sandbox.settings.public_url}/stripe/3ds/{id}"

        def change(intent: Document) -> Document:
            require_status(intent, PAYABLE, "confirm")
            intent["status"] = "requires_action"
            if intent["_return_url"] or intent["_session"]:
                target = {"url": page, "return_url": intent["_return_url"]}
                intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": target}
            else:
                script = {"type": "three_d_secure_redirect", "stripe_js": page}
                intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": script}
            return dict(intent)

        intent = self._sandbox.store.update("stripe", "payment_intent", id, change)
        return Attempt(intent, [Event("payment_intent.requires_action", intent)])

    def _succeed(self, id: str, card: Card, plan: Plan) -> Attempt:
        charge_id = objects.new_id("ch")

        def change(intent: Document) -> Document:
            require_status(intent, PAYABLE, "confirm")
            if plan.wrong_amount:
                intent["amount"] += 10 ** currencies.exponent(intent["currency"].upper())
            is_held = intent["capture_method"] == "manual"
            intent.update(
                status="requires_capture" if is_held else "succeeded",
                amount_capturable=intent["amount"] if is_held else 0,
                amount_received=0 if is_held else intent["amount"],
                last_payment_error=None,
                next_action=None,
                latest_charge=charge_id,
            )
            self._insert_charge(intent, card, charge_id)
            if not is_held:
                self._record(intent)
            kept_by = intent["customer"] if intent["setup_future_usage"] else None
            self._methods.use(intent["payment_method"], customer=kept_by)
            return dict(intent)

        intent = self._sandbox.store.update("stripe", "payment_intent", id, change)
        if intent["status"] == "requires_capture":
            return Attempt(intent, [Event("payment_intent.amount_capturable_updated", intent)])
        events = [Event("payment_intent.succeeded", intent)]
        if card.outcome in ("disputed", "inquired"):
            events += self._disputes.open(charge_id, is_inquiry=card.outcome == "inquired")
        return Attempt(intent, events)

    def _insert_charge(self, intent: Document, card: Card, charge_id: str) -> None:
        charge = objects.charge(intent, card, id=charge_id, created=self._seconds())
        self._sandbox.store.insert("stripe", "charge", charge_id, charge)

    def _record(self, intent: Document) -> None:
        currency = intent["currency"].upper()
        amount = currencies.major(intent["amount_received"], currency)
        self._sandbox.records.add(
            "stripe",
            "charge",
            reference=intent["_reference"],
            id=intent["id"],
            amount=amount,
            currency=currency,
        )

    # --- 3-D Secure

    def authenticate(self, id: str, *, is_passed: bool) -> Document:
        """The customer passed or failed the bank's challenge. Publishes the events."""
        intent = self.get(id)
        require_status(intent, ("requires_action",), "authenticate")
        plan = Plan.from_json(intent["_plan"])
        attempt = self.attempt(id, VISA, plan) if is_passed else self.fail_authentication(id)
        self._callbacks.publish(attempt.events, plan)
        return attempt.intent

    def fail_authentication(self, id: str) -> Attempt:
        """Return to `requires_payment_method`."""

        def change(intent: Document) -> Document:
            require_status(intent, ("requires_action",), "authenticate")
            intent.update(
                status="requires_payment_method",
                payment_method=None,
                next_action=None,
                last_payment_error={
                    "code": "payment_intent_authentication_failure",
                    "message": AUTHENTICATION_FAILED,
                    "type": "invalid_request_error",
                },
            )
            return dict(intent)

        intent = self._sandbox.store.update("stripe", "payment_intent", id, change)
        return Attempt(intent, [Event("payment_intent.payment_failed", intent)])

    # --- capture and cancel

    def capture(self, id: str, *, amount: int | None) -> Document:
        """Capture the authorized amount or a part of it; the rest is released. Raises 400."""
        self.get(id)

        def change(intent: Document) -> Document:
            require_status(intent, ("requires_capture",), "capture")
            captured = intent["amount_capturable"] if amount is None else amount
            if not 1 <= captured <= intent["amount_capturable"]:
                raise refused(
                    f"The provided amount_to_capture ({captured}) must be at least 1 and at most the remaining "
                    f"capturable amount ({intent['amount_capturable']}).",
                    param="amount_to_capture",
                    code="amount_too_large",
                )
            intent.update(status="succeeded", amount_received=captured, amount_capturable=0)
            self._sandbox.store.update(
                "stripe", "charge", intent["latest_charge"], lambda charge: _mark_captured(charge, captured)
            )
            self._record(intent)
            return dict(intent)

        intent = self._sandbox.store.update("stripe", "payment_intent", id, change)
        self._callbacks.publish([Event("payment_intent.succeeded", intent)], Plan.from_json(intent["_plan"]))
        return intent

    def cancel(self, id: str, *, reason: str | None) -> Document:
        """End all attempts and release the authorized amount. Raises 400."""
        self.get(id)
        now = self._seconds()

        def change(intent: Document) -> Document:
            if intent["_session"] is not None:
                raise refused(
                    "You cannot cancel this PaymentIntent because it is managed by a Checkout Session. Expire the "
                    "Checkout Session instead.",
                    code="payment_intent_unexpected_state",
                )
            require_status(intent, CANCELABLE, "cancel")
            intent.update(
                status="canceled",
                canceled_at=now,
                cancellation_reason=reason,
                amount_capturable=0,
                next_action=None,
            )
            return dict(intent)

        intent = self._sandbox.store.update("stripe", "payment_intent", id, change)
        self._callbacks.publish([Event("payment_intent.canceled", intent)], Plan.from_json(intent["_plan"]))
        return intent

    def _seconds(self) -> int:
        return int(self._sandbox.now().timestamp())


def _mark_captured(charge: Document, amount: int) -> None:
    charge.update(captured=True, amount_captured=amount, balance_transaction=objects.new_id("txn"))


def require_status(intent: Document, allowed: tuple[str, ...], verb: str) -> None:
    """Raises 400 `payment_intent_unexpected_state` when the PaymentIntent is in another status."""
    if intent["status"] not in allowed:
        raise refused(
            f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}. Only a "
            f"PaymentIntent with one of the following statuses may be used: {', '.join(allowed)}.",
            code="payment_intent_unexpected_state",
            payment_intent=objects.public(intent),
        )
