"""Chapa's refunds: accepted at once, paid back a second later, never more than was paid."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, Response, g

from app.sandbox.chapa import answers
from app.sandbox.chapa.payments import UNKNOWN, event
from app.sandbox.chapa.webhooks import Webhooks
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan

SETTLES_AFTER_S: Final = 1.0
SETTLE: Final = "chapa.refund"
INITIATED: Final = "Refund Initiated"
ACCEPTED: Final = "Refund initiated successfully. It takes 1 to 3 working days to reach the customer."

Document = dict[str, Any]


class Refunds:
    """A refund has Chapa's own `ref` and, when the merchant gives one, a unique merchant reference."""

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._webhooks = webhooks
        sandbox.timers.register(SETTLE, self._settle)

    def add_to(self, blueprint: Blueprint) -> None:
        refund = answers.steered(self._sandbox, "refund", "reference")(self.refund)
        verify = answers.steered_by_path(self._sandbox, "refund_verify")(self.verify)
        blueprint.add_url_rule("/v1/refund/<path:ref>", "refund", view_func=refund, methods=["POST"])
        blueprint.add_url_rule("/v1/refund/<path:ref>/verify", "refund_verify", view_func=verify)

    def refund(self, ref: str) -> Response:
        """`ref` is Chapa's reference of the payment or its tx_ref: the documents name both."""
        payment = self._payment(ref)
        if payment is None:
            return answers.failed(404, UNKNOWN)
        sent = answers.body()
        if (refusal := self._refusal_of(sent, payment, g.plan)) is not None:
            return refusal
        amount = self._reserve(payment["tx_ref"], answers.amount_of(sent.get("amount")))
        if amount is None:
            return answers.failed(400, "The refund amount is more than what is left of the payment.")
        return self._accept(payment, amount, sent, g.plan)

    def verify(self, ref: str) -> Response:
        """`ref` is Chapa's `ref` of the refund, or the merchant's own reference."""
        refund = self._store.get("chapa", "refund", ref)
        if refund is None:
            found = self._store.find("chapa", "refund", merchant_reference=ref)
            refund = found[0] if found else None
        if refund is None:
            return answers.failed(404, "Refund not found")
        return answers.success("Refund verified successfully", _verified(refund))

    def _payment(self, ref: str) -> Document | None:
        payment = self._store.get("chapa", "payment", ref)
        if payment is not None:
            return payment
        found = self._store.find("chapa", "payment", reference=ref)
        return found[0] if found else None

    def _refusal_of(self, sent: Document, payment: Document, plan: Plan) -> Response | None:
        if payment["status"] != "success":
            return answers.failed(400, "Only a successful payment can be refunded.")
        if sent.get("amount") not in (None, "") and answers.amount_of(sent["amount"]) is None:
            return answers.failed(400, {"amount": ["validation.numeric"]})
        if plan.fate == "insufficient_funds":
            return answers.failed(400, "Insufficient Balance")
        if self._is_used(sent.get("reference")):
            return answers.failed(400, "The reference number has been used before")
        return None

    def _is_used(self, reference: object) -> bool:
        return bool(reference) and bool(
            self._store.find("chapa", "refund", merchant_reference=str(reference))
        )

    def _reserve(self, tx_ref: str, asked: Decimal | None) -> Decimal | None:
        """Take `asked`, or all that is left, from what may still be refunded; None when it is not there."""

        def reserve(payment: Document) -> Decimal | None:
            left = Decimal(payment["amount"]) - Decimal(payment["refunded"])
            amount = left if asked is None else asked
            if amount <= 0 or amount > left:
                return None
            payment["refunded"] = str(Decimal(payment["refunded"]) + amount)
            return amount

        return self._store.update("chapa", "payment", tx_ref, reserve)

    def _give_back(self, tx_ref: str, amount: Decimal) -> None:
        def give_back(payment: Document) -> None:
            payment["refunded"] = str(Decimal(payment["refunded"]) - amount)

        self._store.update("chapa", "payment", tx_ref, give_back)

    def _accept(self, payment: Document, amount: Decimal, sent: Document, plan: Plan) -> Response:
        reference = str(sent.get("reference") or "") or None
        refund = self._new_refund(payment, amount, sent, plan)
        # The claim on the merchant's reference decides between two requests that both passed the look above.
        if reference and not self._store.insert(
            "chapa", "refund_reference", reference, {"ref": refund["ref"]}
        ):
            self._give_back(payment["tx_ref"], amount)
            return answers.failed(400, "The reference number has been used before")
        self._store.insert("chapa", "refund", refund["ref"], refund)
        if plan.callback_early:
            self._settle(refund["ref"], is_early=True)
        else:
            self._sandbox.timers.set(SETTLE, refund["ref"], SETTLES_AFTER_S)
        return answers.success(ACCEPTED, _details(refund))

    def _new_refund(self, payment: Document, amount: Decimal, sent: Document, plan: Plan) -> Document:
        moment = answers.stamp(self._sandbox.now())
        return {
            "id": secrets.randbelow(10**6) + 1,
            "ref": f"MERC-DIS-REF-{secrets.token_hex(6).upper()}",
            "tx_ref": payment["tx_ref"],
            "chapa_reference": payment["reference"],
            "amount": str(amount),
            "currency": payment["currency"],
            "status": INITIATED,
            "reason": sent.get("reason"),
            "merchant_reference": str(sent.get("reference") or "") or None,
            "meta": sent.get("meta"),
            "plan": plan.to_json(),
            "created_at": moment,
            "updated_at": moment,
        }

    def _settle(self, ref: str, *, is_early: bool = False) -> None:
        """Pay back, or, when a fault says so, fail and leave the payment as it was."""
        moment = answers.stamp(self._sandbox.now())

        def settle(refund: Document) -> Document | None:
            if refund["status"] != INITIATED:
                return None
            fate = Plan.from_json(refund["plan"]).fate
            refund |= {"status": "failed" if fate else "refunded", "updated_at": moment}
            if fate:
                self._give_back(refund["tx_ref"], Decimal(refund["amount"]))
            else:
                self._pay_back(refund["tx_ref"], Decimal(refund["amount"]))
                self._record(refund)
            return dict(refund)

        refund = self._store.update("chapa", "refund", ref, settle)
        if refund is None or refund["status"] == "failed":
            return
        payment = self._store.get("chapa", "payment", refund["tx_ref"])
        assert payment is not None  # a refund is made from a payment, and payments are never deleted
        news = event(
            "charge.refunded",
            payment,
            amount=answers.text(Decimal(refund["amount"])),
            updated_at=moment,
        )
        self._webhooks.send(news, Plan.from_json(refund["plan"]), is_early=is_early)

    def _pay_back(self, tx_ref: str, amount: Decimal) -> None:
        def pay_back(payment: Document) -> None:
            payment["paid_back"] = str(Decimal(payment["paid_back"]) + amount)

        self._store.update("chapa", "payment", tx_ref, pay_back)

    def _record(self, refund: Document) -> None:
        self._sandbox.book.record(
            "chapa",
            "refund",
            reference=refund["merchant_reference"] or refund["ref"],
            id=refund["ref"],
            amount=Decimal(refund["amount"]),
            currency=refund["currency"],
        )


def _verified(refund: Document) -> Document:
    """As `verify` shows it: other names than in the first answer, the amount as a number, plain words for the state."""
    return {
        "amount": answers.number(Decimal(refund["amount"])),
        "currency": refund["currency"],
        "ref_id": refund["ref"],
        "payment_reference": refund["chapa_reference"],
        "merchant_reference": refund["merchant_reference"],
        "status": "initiated" if refund["status"] == INITIATED else refund["status"],
        "reason": refund["reason"],
        "meta": refund["meta"],
        "created_at": refund["created_at"],
        "updated_at": refund["updated_at"],
    }


def _details(refund: Document) -> Document:
    """As the first answer shows it."""
    return {
        "id": refund["id"],
        "chapa_reference": refund["chapa_reference"],
        "bank_reference": None,
        "amount": answers.text(Decimal(refund["amount"])),
        "ref": refund["ref"],
        "currency": refund["currency"],
        "status": refund["status"],
        "reason": refund["reason"],
        "merchant_reference": refund["merchant_reference"],
        "meta": refund["meta"],
        "created_at": refund["created_at"],
        "updated_at": refund["updated_at"],
    }
