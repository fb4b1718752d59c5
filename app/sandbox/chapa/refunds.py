"""Chapa's refunds: accepted at once, completed a second later, together at most the payment."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Final

from app.sandbox.amounts import json_number
from app.sandbox.calls import ApiRequest
from app.sandbox.chapa.callbacks import Callbacks
from app.sandbox.chapa.errors import REFERENCE_USED, ApiError
from app.sandbox.chapa.payments import NOT_FOUND, event
from app.sandbox.chapa.replies import amount_text, success, timestamp
from app.sandbox.chapa.validation import amount_of
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.store import Document

SETTLES_AFTER_S: Final = 1.0
TIMER: Final = "chapa.refund"
INITIATED: Final = "Refund Initiated"
EVENTS_OPTION: Final = "refund_events"
DOCUMENTED: Final = "documented"
"""Value of this option: `charge.refunded` comes as Chapa's page shows it, when the refund is accepted and again when it is
completed, each time with the payment's whole amount. Otherwise it comes once, at the end, with the refund's amount."""

ACCEPTED: Final = "Refund initiated successfully. It takes 1 to 3 working days to reach the customer."


class Refunds:
    """Each refund has Chapa's own `ref` and, when the merchant sent one, a unique merchant reference."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._callbacks = callbacks
        sandbox.timers.register(TIMER, self._settle)

    def create(self, request: ApiRequest, ref: str) -> Document:
        """`POST /v1/refund/{ref}`: `ref` is Chapa's reference of the payment or its tx_ref; the documents name both."""
        payment = self._payment(ref)
        if payment is None:
            raise ApiError(404, NOT_FOUND)
        self._check(request.body, payment, request.plan)
        amount = self._reserve(payment["tx_ref"], amount_of(request.body.get("amount")))
        if amount is None:
            raise ApiError(400, "The refund amount is more than what is left of the payment.")
        return success(ACCEPTED, self._accept(payment, amount, request))

    def verify(self, request: ApiRequest, ref: str) -> Document:
        """`GET /v1/refund/{ref}/verify`: `ref` is Chapa's `ref` of the refund or the merchant's reference."""
        refund = self._store.get("chapa", "refund", ref)
        if refund is None:
            found = self._store.find("chapa", "refund", merchant_reference=ref)
            refund = found[0] if found else None
        if refund is None:
            raise ApiError(404, "Refund not found")
        return success("Refund verified successfully", _verify_details(refund))

    def _payment(self, ref: str) -> Document | None:
        payment = self._store.get("chapa", "payment", ref)
        if payment is not None:
            return payment
        found = self._store.find("chapa", "payment", reference=ref)
        return found[0] if found else None

    def _check(self, body: Document, payment: Document, plan: Plan) -> None:
        if payment["status"] != "success":
            raise ApiError(400, "Only a successful payment can be refunded.")
        if body.get("amount") not in (None, "") and amount_of(body["amount"]) is None:
            raise ApiError(400, {"amount": ["validation.numeric"]})
        if plan.outcome == "insufficient_funds":
            raise ApiError(400, "Insufficient Balance")
        reference = body.get("reference")
        if reference and self._store.find("chapa", "refund", merchant_reference=str(reference)):
            raise ApiError(400, REFERENCE_USED)

    def _reserve(self, tx_ref: str, requested: Decimal | None) -> Decimal | None:
        """Reserve `requested`, or all that is left, of what can still be refunded; None when that is not enough."""

        def reserve(payment: Document) -> Decimal | None:
            left = Decimal(payment["amount"]) - Decimal(payment["refund_reserved"])
            amount = left if requested is None else requested
            if amount <= 0 or amount > left:
                return None
            payment["refund_reserved"] = str(Decimal(payment["refund_reserved"]) + amount)
            return amount

        return self._store.update("chapa", "payment", tx_ref, reserve)

    def _release(self, tx_ref: str, amount: Decimal) -> None:
        def release(payment: Document) -> None:
            payment["refund_reserved"] = str(Decimal(payment["refund_reserved"]) - amount)

        self._store.update("chapa", "payment", tx_ref, release)

    def _accept(self, payment: Document, amount: Decimal, request: ApiRequest) -> Document:
        plan = request.plan
        refund = self._new_refund(payment, amount, request.body, plan)
        ref, reference = refund["ref"], refund["merchant_reference"]
        # Inserting the merchant's reference decides between two requests that both passed `_check`.
        if reference and not self._store.insert("chapa", "refund_reference", reference, {"ref": ref}):
            self._release(payment["tx_ref"], amount)
            raise ApiError(400, REFERENCE_USED)
        self._store.insert("chapa", "refund", ref, refund)
        if self._is_documented():
            self._send_refunded(refund)
        if plan.callback_early:
            self._settle(ref, is_early=True)
        else:
            self._sandbox.timers.set(TIMER, ref, SETTLES_AFTER_S)
        return _details(refund)

    def _new_refund(self, payment: Document, amount: Decimal, body: Document, plan: Plan) -> Document:
        now = timestamp(self._sandbox.now())
        return {
            "id": secrets.randbelow(10**6) + 1,
            "ref": f"MERC-DIS-REF-{secrets.token_hex(6).upper()}",
            "tx_ref": payment["tx_ref"],
            "chapa_reference": payment["reference"],
            "amount": str(amount),
            "currency": payment["currency"],
            "status": INITIATED,
            "reason": body.get("reason"),
            "merchant_reference": str(body.get("reference") or "") or None,
            "meta": body.get("meta"),
            "plan": plan.to_json(),
            "created_at": now,
            "updated_at": now,
        }

    def _settle(self, ref: str, *, is_early: bool = False) -> None:
        """Complete the refund; with a planned outcome, let it fail and release its amount."""
        now = timestamp(self._sandbox.now())

        def settle(refund: Document) -> Document | None:
            if refund["status"] != INITIATED:
                return None
            outcome = Plan.from_json(refund["plan"]).outcome
            refund |= {"status": "failed" if outcome else "refunded", "updated_at": now}
            if outcome:
                self._release(refund["tx_ref"], Decimal(refund["amount"]))
            else:
                self._add_refunded(refund["tx_ref"], Decimal(refund["amount"]))
                self._record(refund)
            return dict(refund)

        refund = self._store.update("chapa", "refund", ref, settle)
        if refund is None or refund["status"] == "failed":
            return
        self._send_refunded(refund, is_early=is_early)

    def _is_documented(self) -> bool:
        return self._sandbox.dashboard.option("chapa", EVENTS_OPTION) == DOCUMENTED

    def _send_refunded(self, refund: Document, *, is_early: bool = False) -> None:
        payment = self._store.get("chapa", "payment", refund["tx_ref"])
        assert payment is not None  # a refund has a payment, and payments are not deleted
        shown = payment["amount"] if self._is_documented() else refund["amount"]
        webhook = event(
            "charge.refunded",
            payment,
            amount=amount_text(Decimal(shown)),
            updated_at=refund["updated_at"],
        )
        self._callbacks.send_webhook(webhook, Plan.from_json(refund["plan"]), is_early=is_early)

    def _add_refunded(self, tx_ref: str, amount: Decimal) -> None:
        def add(payment: Document) -> None:
            payment["refunded"] = str(Decimal(payment["refunded"]) + amount)

        self._store.update("chapa", "payment", tx_ref, add)

    def _record(self, refund: Document) -> None:
        self._sandbox.records.add(
            "chapa",
            "refund",
            reference=refund["merchant_reference"] or refund["ref"],
            id=refund["ref"],
            amount=Decimal(refund["amount"]),
            currency=refund["currency"],
        )


def _verify_details(refund: Document) -> Document:
    """The refund in `verify`: other names and words than in the first answer, and the amount as a number."""
    return {
        "amount": json_number(Decimal(refund["amount"])),
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
    """The refund in the first answer."""
    return {
        "id": refund["id"],
        "chapa_reference": refund["chapa_reference"],
        "bank_reference": None,
        "amount": amount_text(Decimal(refund["amount"])),
        "ref": refund["ref"],
        "currency": refund["currency"],
        "status": refund["status"],
        "reason": refund["reason"],
        "merchant_reference": refund["merchant_reference"],
        "meta": refund["meta"],
        "created_at": refund["created_at"],
        "updated_at": refund["updated_at"],
    }
