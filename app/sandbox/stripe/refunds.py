"""Refunds: at once by default; magic amounts and two test cards leave them to the bank, which settles or returns them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.stripe import currencies, forms, objects
from app.sandbox.stripe.cards import RefundFate
from app.sandbox.stripe.errors import invalid, missing, refused
from app.sandbox.stripe.events import Events, News
from app.sandbox.stripe.objects import Document

BY_AMOUNT: Final[Mapping[Decimal, RefundFate]] = MappingProxyType({
    Decimal(7201): "later", Decimal(7202): "fails_later", Decimal(7203): "waits", Decimal(7204): "comes_back",
})  # fmt: skip
"""Refund amounts, in major units, whose fate is their own."""

IS_PENDING: Final = ("later", "fails_later", "waits")

TIMER: Final = "stripe.refund"
BANK_TAKES_S: Final = 1.0

CREATE: Final = ("payment_intent", "charge", "amount", "reason", "metadata", "instructions_email")
REASONS: Final = ("duplicate", "fraudulent", "requested_by_customer")


class Refunds:
    """`/v1/refunds`."""

    def __init__(self, sandbox: Sandbox, events: Events) -> None:
        self._sandbox, self._events = sandbox, events
        sandbox.timers.register(TIMER, self._settle_in_time)

    def create(self, params: forms.Params, plan: Plan) -> Document:
        """`POST /v1/refunds`: the rest of the charge, or `amount`. Raises 400."""
        forms.allow(params, *CREATE)
        charge_id = self._charge_id(params)
        amount = forms.integer(params, "amount")
        reason = forms.choice(params, "reason", REASONS, None)
        metadata = forms.merged({}, forms.metadata(params))
        now = int(self._sandbox.now().timestamp())

        def take(charge: Document) -> tuple[Document, Document, int]:
            taken = _amount(charge, amount)
            before = charge["amount_refunded"]
            charge["amount_refunded"] = before + taken
            charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
            fate = BY_AMOUNT.get(
                currencies.major(taken, charge["currency"]), charge.get("_refund_fate", "at_once")
            )
            status = "pending" if fate in IS_PENDING else "succeeded"
            refund = objects.refund(
                charge,
                amount=taken,
                created=now,
                metadata=metadata,
                reason=reason,
                status=status,
                _plan=plan.to_json(),
                _reference=charge["_reference"],
                _fate=fate,
            )
            self._sandbox.store.insert("stripe", "refund", refund["id"], refund)
            if status == "succeeded":
                self._book(refund)
            return dict(charge), refund, before

        charge, refund, before = self._sandbox.store.update("stripe", "charge", charge_id, take)
        news = [
            News("refund.created", refund),
            News("charge.refunded", charge, {"amount_refunded": before, "refunded": False}),
        ]
        if refund["status"] == "succeeded":
            news.append(News("refund.updated", refund, {"destination_details": {}}))
        if refund["_fate"] not in ("at_once", "waits"):
            self._sandbox.timers.set(TIMER, refund["id"], BANK_TAKES_S)
        self._events.publish(news, plan)
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

    def update(self, id: str, params: forms.Params) -> Document:
        """`POST /v1/refunds/{id}`: metadata only."""
        forms.allow(params, "metadata")
        self.get(id)

        def change(refund: Document) -> Document:
            refund["metadata"] = forms.merged(refund["metadata"], forms.metadata(params))
            return dict(refund)

        return self._sandbox.store.update("stripe", "refund", id, change)

    # --- the bank

    def settle(self, id: str, *, is_accepted: bool | None = None) -> Document:
        """The bank decides a pending refund, by its fate unless told. Raises 400 when it is not pending."""
        refund = self.get(id)
        if is_accepted is None:
            is_accepted = refund["_fate"] != "fails_later"

        def change(document: Document) -> Document:
            if document["status"] != "pending":
                raise refused(f"This refund is not pending: its status is {document['status']}.")
            document["status"] = "succeeded" if is_accepted else "failed"
            if not is_accepted:
                document["failure_reason"] = "lost_or_stolen_card"
                document["failure_balance_transaction"] = objects.new_id("txn")
                self._return(document)
            else:
                self._book(document)
            return dict(document)

        refund = self._sandbox.store.update("stripe", "refund", id, change)
        news = [News("refund.updated", refund, {"status": "pending"})]
        if not is_accepted:
            news.append(News("refund.failed", refund, {"status": "pending"}))
        self._events.publish(news, Plan.from_json(refund["_plan"]))
        return refund

    def _settle_in_time(self, id: str) -> None:
        """The timer: nothing to do when a person settled it on its page."""
        refund = self._sandbox.store.get("stripe", "refund", id)
        if refund is not None and refund["status"] == "pending":
            self.settle(id)
        elif refund is not None and refund["_fate"] == "comes_back" and refund["status"] == "succeeded":
            self.come_back(id)

    def come_back(self, id: str) -> Document:
        """The customer's bank returns a refund that had succeeded. Raises 400 when it had not."""

        def change(document: Document) -> Document:
            if document["status"] != "succeeded":
                raise refused(f"This refund has not succeeded: its status is {document['status']}.")
            document["status"], document["failure_reason"] = "failed", "expired_or_canceled_card"
            document["failure_balance_transaction"] = objects.new_id("txn")
            self._return(document)
            self._book(document, "refund_return")
            return dict(document)

        refund = self._sandbox.store.update("stripe", "refund", id, change)
        was = {"status": "succeeded"}
        news = [News("refund.updated", refund, was), News("refund.failed", refund, was)]
        self._events.publish(news, Plan.from_json(refund["_plan"]))
        return refund

    def _return(self, refund: Document) -> None:
        def change(charge: Document) -> None:
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False

        self._sandbox.store.update("stripe", "charge", refund["charge"], change)

    def _book(self, refund: Document, kind: Literal["refund", "refund_return"] = "refund") -> None:
        currency = refund["currency"].upper()
        self._sandbox.book.record(
            "stripe",
            kind,
            reference=refund["_reference"],
            id=refund["id"],
            amount=currencies.major(refund["amount"], currency),
            currency=currency,
        )


def _amount(charge: Document, amount: int | None) -> int:
    """What to give back of `charge`. Raises 400 when that is more than is left."""
    if charge["disputed"]:
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
