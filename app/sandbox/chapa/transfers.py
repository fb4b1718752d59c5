"""Chapa's transfers: queued at once, approved by the merchant when that is required, completed a second later."""

from __future__ import annotations

import secrets
import uuid
from decimal import Decimal
from typing import Final

from app.sandbox.amounts import json_number
from app.sandbox.calls import ApiRequest
from app.sandbox.chapa import approval, banks
from app.sandbox.chapa.balances import Balances
from app.sandbox.chapa.callbacks import Callbacks
from app.sandbox.chapa.errors import REFERENCE_USED, ApiError
from app.sandbox.chapa.replies import amount_text, success, timestamp
from app.sandbox.chapa.validation import amount_of
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.store import Document

SETTLES_AFTER_S: Final = 1.0
TIMER: Final = "chapa.transfer"
QUEUED: Final = "Transfer Queued Successfully in Test Mode"
NEVER_SETTLES: Final = "timed_out"
REQUIRED: Final = ("account_number", "amount", "bank_code")


class Transfers:
    """One transfer for each reference. Its status changes once, from pending to success or failed."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks, balances: Balances) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._callbacks = callbacks
        self._balances = balances
        sandbox.timers.register(TIMER, self._settle)

    def create(self, request: ApiRequest) -> Document:
        """`POST /v1/transfers`. The data of the answer is the reference alone, as a string."""
        self.check(request.body)
        amount = amount_of(request.body["amount"])
        is_covered = amount is not None and amount <= self._balances.available("ETB")
        if request.plan.outcome == "insufficient_funds" or not is_covered:
            raise ApiError(400, "Insufficient Balance")
        reference = self.queue(request.body, request.plan)
        if reference is None:
            raise ApiError(400, REFERENCE_USED)
        return success(QUEUED, reference)

    def verify(self, request: ApiRequest, ref: str) -> Document:
        """`GET /v1/transfers/verify/{reference}`."""
        transfer = self._store.get("chapa", "transfer", ref)
        if transfer is None:
            raise ApiError(404, "Transfer not found")
        return success("Transfer details", _details(transfer))

    def list_transfers(self, request: ApiRequest) -> Document:
        """`GET /v1/transfers`: all, or those of one `?batch_id=`, newest first."""
        batch_id = request.query.get("batch_id")
        members = {"batch_id": batch_id} if batch_id else {}
        found = self._store.find("chapa", "transfer", **members)
        return success("Transfers retrieved", [_details(transfer) for transfer in reversed(found)])

    def check(self, body: Document) -> None:
        """Raises ApiError when Chapa does not queue the transfer."""
        if missing := {name: ["validation.required"] for name in REQUIRED if body.get(name) in (None, "")}:
            raise ApiError(400, missing)
        if amount_of(body["amount"]) is None:
            raise ApiError(400, {"amount": ["validation.numeric"]})
        if body.get("currency", "ETB") != "ETB":
            raise ApiError(400, "Invalid currency. Transfers are in ETB.")
        bank = banks.find(body["bank_code"])
        if bank is None:
            raise ApiError(
                401, "The Bank Code is incorrect please check if it does exist with our getbanks endpoint."
            )
        if not bank.is_account(str(body["account_number"])):
            raise ApiError(400, f"The account number is not valid for {bank.name}.")

    def queue(self, body: Document, plan: Plan, *, batch_id: str | None = None) -> str | None:
        """The reference of the queued transfer, or None when it has been used before."""
        transfer = self._new_transfer(body, plan, batch_id)
        if not self._store.insert("chapa", "transfer", transfer["reference"], transfer):
            return None
        if plan.callback_early:
            self._settle(transfer["reference"], is_early=True)
        else:
            self._sandbox.timers.set(TIMER, transfer["reference"], SETTLES_AFTER_S)
        return str(transfer["reference"])

    def _new_transfer(self, body: Document, plan: Plan, batch_id: str | None) -> Document:
        now = timestamp(self._sandbox.now())
        bank = banks.find(body["bank_code"])
        assert bank is not None  # checked before
        return {
            "reference": str(body.get("reference") or f"CHTR-{secrets.token_hex(8)}"),
            "account_name": body.get("account_name"),
            "account_number": str(body["account_number"]),
            "amount": str(amount_of(body["amount"])),
            "currency": "ETB",
            "bank_id": bank.id,
            "bank_name": bank.name,
            "batch_id": batch_id,
            "status": "pending",
            "chapa_transfer_id": str(uuid.uuid4()),
            "bank_reference": None,
            "plan": plan.to_json(),
            "created_at": now,
            "updated_at": now,
        }

    def _settle(self, reference: str, *, is_early: bool = False) -> None:
        transfer = self._store.get("chapa", "transfer", reference)
        if transfer is None or Plan.from_json(transfer["plan"]).outcome == NEVER_SETTLES:
            return
        is_paid = not Plan.from_json(transfer["plan"]).outcome and approval.is_approved(
            self._sandbox, transfer
        )
        now = timestamp(self._sandbox.now())

        def settle(transfer: Document) -> Document | None:
            if transfer["status"] != "pending":
                return None
            transfer |= {"status": "success" if is_paid else "failed", "updated_at": now}
            if is_paid:
                transfer["bank_reference"] = secrets.token_hex(5).upper()
                self._record(transfer)
            return dict(transfer)

        if (ended := self._store.update("chapa", "transfer", reference, settle)) is not None:
            self._callbacks.send_webhook(_event(ended), Plan.from_json(ended["plan"]), is_early=is_early)

    def _record(self, transfer: Document) -> None:
        self._sandbox.records.add(
            "chapa",
            "payout",
            reference=transfer["reference"],
            id=transfer["chapa_transfer_id"],
            amount=Decimal(transfer["amount"]),
            currency=transfer["currency"],
        )


def _event(transfer: Document) -> Document:
    status = "success" if transfer["status"] == "success" else "failed/cancelled"
    return {
        "event": f"payout.{status}",
        "type": "Payout",
        "account_name": transfer["account_name"],
        "account_number": transfer["account_number"],
        "bank_id": transfer["bank_id"],
        "bank_name": transfer["bank_name"],
        "amount": amount_text(Decimal(transfer["amount"])),
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
        "amount": json_number(Decimal(transfer["amount"])),
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
