"""Refunds: they succeed at once, unless a magic amount or test card leaves the decision to the customer's bank."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.store import Document
from app.sandbox.stripe import currencies, forms, objects
from app.sandbox.stripe.callbacks import Callbacks, Event
from app.sandbox.stripe.cards import RefundOutcome
from app.sandbox.stripe.errors import invalid, missing, refused

BY_AMOUNT: Final[Mapping[Decimal, RefundOutcome]] = MappingProxyType(
    {
        Decimal(7201): "later",
        Decimal(7202): "fails_later",
        Decimal(7203): "waits",
        Decimal(7204): "returned",
    }
)
"""Refund amount in major units → its outcome."""

PENDING_OUTCOMES: Final = ("later", "fails_later", "waits")

TIMER: Final = "stripe.refund"
BANK_TAKES_S: Final = 1.0

CREATE: Final = ("payment_intent", "charge", "amount", "reason", "metadata", "instructions_email")
REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")


class Refunds:
    """The account's refunds."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks) -> None:
        self._sandbox, self._callbacks = sandbox, callbacks
        sandbox.timers.register(TIMER, self._settle_after_delay)

    def create(self, request: ApiRequest) -> Document:
        """`POST /v1/refunds`: the rest of the charge, or `amount`. Raises 400."""
        params, plan = request.body, request.plan
        forms.allow(params, *CREATE)
        charge_id = self._charge_id(params)
        amount = forms.integer(params, "amount")
        reason = forms.choice(params, "reason", REASONS, None)
        metadata = forms.merged({}, forms.metadata(params))
        now = int(self._sandbox.now().timestamp())

        def reserve(charge: Document) -> tuple[Document, Document, int]:
            refunded = _amount(charge, amount)
            before = charge["amount_refunded"]
            charge["amount_refunded"] = before + refunded
            charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
            outcome = BY_AMOUNT.get(
                currencies.major(refunded, charge["currency"]), charge.get("_refund_outcome", "at_once")
            )
            status = "pending" if outcome in PENDING_OUTCOMES else "succeeded"
            refund = objects.refund(
                charge,
                amount=refunded,
                created=now,
                metadata=metadata,
                reason=reason,
                status=status,
                _plan=plan.to_json(),
                _reference=charge["_reference"],
                _outcome=outcome,
            )
            self._sandbox.store.insert("stripe", "refund", refund["id"], refund)
            if status == "succeeded":
                self._record(refund)
            return dict(charge), refund, before

        charge, refund, before = self._sandbox.store.update("stripe", "charge", charge_id, reserve)
        events = [
            Event("refund.created", refund),
            Event("charge.refunded", charge, {"amount_refunded": before, "refunded": False}),
        ]
        if refund["status"] == "succeeded":
            events.append(Event("refund.updated", refund, {"destination_details": {}}))
        if refund["_outcome"] not in ("at_once", "waits"):
            self._sandbox.timers.set(TIMER, refund["id"], BANK_TAKES_S)
        self._callbacks.publish(events, plan)
        return refund

    def _charge_id(self, params: forms.Params) -> str:
        intent_id, charge_id = forms.text(params, "payment_intent"), forms.text(params, "charge")
        if intent_id is None and charge_id is None:
            raise invalid(
                "One of the following params should be provided for this request: payment_intent or charge."
            )
        if intent_id is not None:
            intent = self._sandbox.store.get("stripe", "payment_intent", intent_id)
            if intent is None:
                raise missing("payment_intent", intent_id, param="payment_intent", status=404)
            if intent["status"] != "succeeded":
                raise refused(
                    f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                    param="payment_intent",
                )
            return str(intent["latest_charge"])
        assert charge_id is not None
        if self._sandbox.store.get("stripe", "charge", charge_id) is None:
            raise missing("charge", charge_id, param="charge", status=404)
        return charge_id

    def get(self, id: str) -> Document:
        """The refund. Raises 404."""
        found = self._sandbox.store.get("stripe", "refund", id)
        if found is None:
            raise missing("refund", id, param="refund")
        return found

    def update(self, request: ApiRequest, id: str) -> Document:
        """`POST /v1/refunds/{id}`: metadata only."""
        params = request.body
        forms.allow(params, "metadata")
        self.get(id)

        def change(refund: Document) -> Document:
            refund["metadata"] = forms.merged(refund["metadata"], forms.metadata(params))
            return dict(refund)

        return self._sandbox.store.update("stripe", "refund", id, change)

    # --- the bank

    def settle(self, id: str, *, is_accepted: bool | None = None) -> Document:
        """The bank decides a pending refund: by `is_accepted`, or by its outcome. Raises 400 when it is not pending."""
        refund = self.get(id)
        if is_accepted is None:
            is_accepted = refund["_outcome"] != "fails_later"

        def change(document: Document) -> Document:
            if document["status"] != "pending":
                raise refused(f"This refund is not pending: its status is {document['status']}.")
            document["status"] = "succeeded" if is_accepted else "failed"
            if not is_accepted:
                document["failure_reason"] = "lost_or_stolen_card"
                document["failure_balance_transaction"] = objects.new_id("txn")
                self._release(document)
            else:
                self._record(document)
            return dict(document)

        refund = self._sandbox.store.update("stripe", "refund", id, change)
        events = [Event("refund.updated", refund, {"status": "pending"})]
        if not is_accepted:
            events.append(Event("refund.failed", refund, {"status": "pending"}))
        self._callbacks.publish(events, Plan.from_json(refund["_plan"]))
        return refund

    def _settle_after_delay(self, id: str) -> None:
        """The timer decides, unless a user decided on the page."""
        refund = self._sandbox.store.get("stripe", "refund", id)
        if refund is not None and refund["status"] == "pending":
            self.settle(id)
        elif refund is not None and refund["_outcome"] == "returned" and refund["status"] == "succeeded":
            self.mark_returned(id)

    def mark_returned(self, id: str) -> Document:
        """The customer's bank returns a refund that succeeded. Raises 400 when it did not."""

        def change(document: Document) -> Document:
            if document["status"] != "succeeded":
                raise refused(f"This refund has not succeeded: its status is {document['status']}.")
            document["status"], document["failure_reason"] = "failed", "expired_or_canceled_card"
            document["failure_balance_transaction"] = objects.new_id("txn")
            self._release(document)
            self._record(document, "refund_return")
            return dict(document)

        refund = self._sandbox.store.update("stripe", "refund", id, change)
        previous = {"status": "succeeded"}
        events = [Event("refund.updated", refund, previous), Event("refund.failed", refund, previous)]
        self._callbacks.publish(events, Plan.from_json(refund["_plan"]))
        return refund

    def _release(self, refund: Document) -> None:
        def change(charge: Document) -> None:
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False

        self._sandbox.store.update("stripe", "charge", refund["charge"], change)

    def _record(self, refund: Document, kind: Literal["refund", "refund_return"] = "refund") -> None:
        currency = refund["currency"].upper()
        self._sandbox.records.add(
            "stripe",
            kind,
            reference=refund["_reference"],
            id=refund["id"],
            amount=currencies.major(refund["amount"], currency),
            currency=currency,
        )


def _amount(charge: Document, amount: int | None) -> int:
    """The amount to refund of `charge`. Raises 400 when that is more than is left."""
    if charge.get("_is_charged_back"):
        raise refused(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if not charge["captured"]:
        raise refused(f"Charge {charge['id']} has not been captured.", code="charge_not_captured")
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount is None:
        return int(left)
    if amount < 1:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    currencies.check_step(amount, charge["currency"])
    if amount > left:
        currency = charge["currency"]
        raise refused(
            f"Refund amount ({currencies.major(amount, currency)} {currency}) is greater than unrefunded amount on "
            f"charge ({currencies.major(left, currency)} {currency})",
            param="amount",
        )
    return amount
