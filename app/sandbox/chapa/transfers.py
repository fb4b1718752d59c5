"""Chapa's transfers: queued at once, approved by the merchant where he asked for that, paid a second later."""

from __future__ import annotations

import secrets
import uuid
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, Response, g, request

from app.sandbox.chapa import answers, approval, banks
from app.sandbox.chapa.webhooks import Webhooks
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan

SETTLES_AFTER_S: Final = 1.0
SETTLE: Final = "chapa.transfer"
QUEUED: Final = "Transfer Queued Successfully in Test Mode"
REFERENCE_USED: Final = "The reference number has been used before"
NEVER_SETTLES: Final = "timed_out"
REQUIRED: Final = ("account_number", "amount", "bank_code")

Document = dict[str, Any]


class Transfers:
    """One transfer a reference; its status goes from pending to success or failed, once."""

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._webhooks = webhooks
        sandbox.timers.register(SETTLE, self._settle)

    def add_to(self, blueprint: Blueprint) -> None:
        transfer = answers.steered(self._sandbox, "transfer", "reference")(self.transfer)
        verify = answers.steered_by_path(self._sandbox, "transfer_verify")(self.verify)
        blueprint.add_url_rule("/v1/transfers", "transfer", view_func=transfer, methods=["POST"])
        blueprint.add_url_rule("/v1/transfers", "transfers", view_func=self.list)
        blueprint.add_url_rule("/v1/transfers/verify/<path:ref>", "transfer_verify", view_func=verify)

    def transfer(self) -> Response:
        """Queue one. The answer's data is the reference alone, a string."""
        sent = answers.body()
        if (refusal := self.refusal_of(sent)) is not None:
            return refusal
        if g.plan.fate == "insufficient_funds" or not self._is_covered(sent):
            return answers.failed(400, "Insufficient Balance")
        reference = self.queue(sent, g.plan)
        if reference is None:
            return answers.failed(400, REFERENCE_USED)
        return answers.success(QUEUED, reference)

    def verify(self, ref: str) -> Response:
        transfer = self._store.get("chapa", "transfer", ref)
        if transfer is None:
            return answers.failed(404, "Transfer not found")
        return answers.success("Transfer details", _details(transfer))

    def list(self) -> Response:
        """All transfers, or those of one `?batch_id=`, the newest first."""
        batch = request.args.get("batch_id")
        found = (
            self._store.find("chapa", "transfer", batch_id=batch)
            if batch
            else self._store.find("chapa", "transfer")
        )
        return answers.success("Transfers retrieved", [_details(each) for each in reversed(found)])

    def refusal_of(self, sent: Document) -> Response | None:
        """Why Chapa would not even queue it; None when it would."""
        missing = {name: ["validation.required"] for name in REQUIRED if sent.get(name) in (None, "")}
        if missing:
            return answers.failed(400, missing)
        if answers.amount_of(sent["amount"]) is None:
            return answers.failed(400, {"amount": ["validation.numeric"]})
        if sent.get("currency", "ETB") != "ETB":
            return answers.failed(400, "Invalid currency. Transfers are in ETB.")
        bank = banks.find(sent["bank_code"])
        if bank is None:
            return answers.failed(
                401, "The Bank Code is incorrect please check if it does exist with our getbanks endpoint."
            )
        if not bank.takes(str(sent["account_number"])):
            return answers.failed(400, f"The account number is not valid for {bank.name}.")
        return None

    def queue(self, sent: Document, plan: Plan, *, batch_id: str | None = None) -> str | None:
        """The reference of the queued transfer, or None when it has been used before."""
        transfer = self._new_transfer(sent, plan, batch_id)
        if not self._store.insert("chapa", "transfer", transfer["reference"], transfer):
            return None
        if plan.callback_early:
            self._settle(transfer["reference"], is_early=True)
        else:
            self._sandbox.timers.set(SETTLE, transfer["reference"], SETTLES_AFTER_S)
        return str(transfer["reference"])

    def _is_covered(self, sent: Document) -> bool:
        amount = answers.amount_of(sent["amount"])
        return amount is not None and amount <= available(self._sandbox, "ETB")

    def _new_transfer(self, sent: Document, plan: Plan, batch_id: str | None) -> Document:
        moment = answers.stamp(self._sandbox.now())
        bank = banks.find(sent["bank_code"])
        assert bank is not None  # refusal_of has seen it
        return {
            "reference": str(sent.get("reference") or f"CHTR-{secrets.token_hex(8)}"),
            "account_name": sent.get("account_name"),
            "account_number": str(sent["account_number"]),
            "amount": str(answers.amount_of(sent["amount"])),
            "currency": "ETB",
            "bank_id": bank.id,
            "bank_name": bank.name,
            "batch_id": batch_id,
            "status": "pending",
            "chapa_transfer_id": str(uuid.uuid4()),
            "bank_reference": None,
            "plan": plan.to_json(),
            "created_at": moment,
            "updated_at": moment,
        }

    def _settle(self, reference: str, *, is_early: bool = False) -> None:
        transfer = self._store.get("chapa", "transfer", reference)
        if transfer is None or Plan.from_json(transfer["plan"]).fate == NEVER_SETTLES:
            return
        is_paid = not Plan.from_json(transfer["plan"]).fate and approval.is_approved(self._sandbox, transfer)
        moment = answers.stamp(self._sandbox.now())

        def settle(kept: Document) -> Document | None:
            if kept["status"] != "pending":
                return None
            kept |= {"status": "success" if is_paid else "failed", "updated_at": moment}
            if is_paid:
                kept["bank_reference"] = secrets.token_hex(5).upper()
                self._record(kept)
            return dict(kept)

        if (ended := self._store.update("chapa", "transfer", reference, settle)) is not None:
            self._webhooks.send(_event(ended), Plan.from_json(ended["plan"]), is_early=is_early)

    def _record(self, transfer: Document) -> None:
        self._sandbox.book.record(
            "chapa",
            "payout",
            reference=transfer["reference"],
            id=transfer["chapa_transfer_id"],
            amount=Decimal(transfer["amount"]),
            currency=transfer["currency"],
        )


def available(sandbox: Sandbox, currency: str) -> Decimal:
    """What the merchant may spend: an opening balance, plus payments less charges, less refunds and transfers."""
    balance = OPENING[currency]
    for payment in sandbox.store.find("chapa", "payment", status="success", currency=currency):
        balance += Decimal(payment["amount"]) - Decimal(payment["charge"]) - Decimal(payment["refunded"])
    for transfer in sandbox.store.find("chapa", "transfer", currency=currency):
        balance -= Decimal(transfer["amount"]) if transfer["status"] != "failed" else 0
    return balance


OPENING: Final = {"ETB": Decimal("1000000.00"), "USD": Decimal("50000.00")}


def _event(transfer: Document) -> Document:
    status = "success" if transfer["status"] == "success" else "failed/cancelled"
    return {
        "event": f"payout.{status}",
        "type": "Payout",
        "account_name": transfer["account_name"],
        "account_number": transfer["account_number"],
        "bank_id": transfer["bank_id"],
        "bank_name": transfer["bank_name"],
        "amount": answers.text(Decimal(transfer["amount"])),
        "charge": "0.00",
        "currency": transfer["currency"],
        "status": status,
        "reference": transfer["reference"],
        "chapa_reference": transfer["chapa_transfer_id"],
        "bank_reference": transfer["bank_reference"],
        "created_at": transfer["created_at"],
        "updated_at": transfer["updated_at"],
    }


def _details(transfer: Document) -> Document:
    return {
        "account_name": transfer["account_name"],
        "account_number": transfer["account_number"],
        "mobile": None,
        "currency": transfer["currency"],
        "amount": answers.number(Decimal(transfer["amount"])),
        "charge": 0,
        "mode": "test",
        "transfer_method": "bank",
        "narration": None,
        "chapa_transfer_id": transfer["chapa_transfer_id"],
        "bank_code": transfer["bank_id"],
        "bank_name": transfer["bank_name"],
        "cross_party_reference": transfer["bank_reference"],
        "ip_address": "127.0.0.1",
        "status": transfer["status"],
        "tx_ref": transfer["reference"],
        "created_at": transfer["created_at"],
        "updated_at": transfer["updated_at"],
    }
