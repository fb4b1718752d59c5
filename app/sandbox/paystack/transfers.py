"""Paystack's transfers: to a recipient, one for each reference, completed a second later."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT, Plan
from app.sandbox.paystack.balances import Balances
from app.sandbox.paystack.callbacks import Callbacks
from app.sandbox.paystack.errors import ApiError, rate_limited
from app.sandbox.paystack.replies import (
    INTEGRATION,
    major,
    new_code,
    new_id,
    page,
    subunits,
    success,
    timestamp,
)
from app.sandbox.rate import MinimumInterval
from app.sandbox.store import Document

TIMER: Final = "paystack.transfer"
SETTLES_AFTER_S: Final = 1.0
NEVER_SETTLES: Final = "timed_out"
REVERSED: Final = "cancelled"
"""Planned outcomes that leave the transfer pending, and that reverse it. Others let it fail."""

NEEDS_OTP: Final = Decimal(7121)
SUCCEEDS_AT_ONCE: Final = Decimal(7122)
"""Magic amounts in major units: the merchant must confirm with a code; the first answer is a success."""

OTP: Final = "123456"
REFERENCE: Final = re.compile(r"[a-z0-9_-]{16,50}")
MAX_IN_BULK: Final = 100
BULK_INTERVAL: Final = timedelta(seconds=5)


class Transfers:
    """Transfers, one at a time or up to a hundred in a call."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks, balances: Balances) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._callbacks = callbacks
        self._balances = balances
        self._bulk_interval = MinimumInterval(sandbox.now, BULK_INTERVAL)
        sandbox.timers.register(TIMER, self._settle)

    def create(self, request: ApiRequest) -> Document:
        """`POST /transfer`."""
        recipient = self._checked_recipient(request.body)
        amount = subunits(request.body["amount"])
        is_covered = amount is not None and amount <= self._balances.available(recipient["currency"])
        if request.plan.outcome == "insufficient_funds" or not is_covered:
            raise ApiError(
                400, "Your balance is not enough to fulfil this request", code="insufficient_balance"
            )
        transfer = self._queue(request.body, request.plan)
        if transfer is None:
            raise _duplicate()
        if transfer["status"] == "otp":
            return success("Transfer requires OTP to continue", _details(transfer))
        if request.plan.callback_early or major(transfer["subunits"]) == SUCCEEDS_AT_ONCE:
            self._settle(transfer["reference"], is_early=request.plan.callback_early)
            transfer = self._store.get("paystack", "transfer", transfer["reference"]) or transfer
        return success("Transfer has been queued", _details(transfer))

    def finalize(self, request: ApiRequest) -> Document:
        """`POST /transfer/finalize_transfer`: the merchant's code for a transfer with status `otp`."""
        code = str(request.body.get("transfer_code"))
        found = self._store.find("paystack", "transfer", transfer_code=code)
        if not found:
            raise ApiError(404, "Transfer code is invalid", code="transfer_not_found")
        if found[0]["status"] != "otp":
            raise ApiError(400, "Transfer is not currently awaiting OTP", code="transfer_not_awaiting_otp")
        if str(request.body.get("otp")) != OTP:
            raise ApiError(400, "OTP is invalid", code="invalid_otp")

        def queue(transfer: Document) -> Document:
            if transfer["status"] == "otp":
                transfer["status"] = "pending"
            return dict(transfer)

        transfer = self._store.update("paystack", "transfer", found[0]["reference"], queue)
        self._sandbox.timers.set(TIMER, transfer["reference"], SETTLES_AFTER_S)
        return success("Transfer has been queued", _details(transfer))

    def verify(self, request: ApiRequest, ref: str) -> Document:
        """`GET /transfer/verify/{reference}`."""
        transfer = self._store.get("paystack", "transfer", ref)
        if transfer is None:
            raise ApiError(404, "Transfer not found", code="transfer_not_found")
        return success("Transfer retrieved", self._with_recipient(transfer))

    def get(self, request: ApiRequest, code: str) -> Document:
        """`GET /transfer/{id or code}`."""
        is_id = code.isascii() and code.isdigit() and len(code) < 19
        members = {"id": int(code)} if is_id else {"transfer_code": code}
        found = self._store.find("paystack", "transfer", **members)
        if not found:
            raise ApiError(404, "Transfer not found", code="transfer_not_found")
        return success("Transfer retrieved", self._with_recipient(found[0]))

    def list_transfers(self, request: ApiRequest) -> Document:
        """`GET /transfer`, newest first."""
        found = self._store.find("paystack", "transfer")
        items = [self._with_recipient(transfer) for transfer in reversed(found)]
        return page("Transfers retrieved", items, request.query)

    def create_bulk(self, request: ApiRequest) -> Document:
        """`POST /transfer/bulk`: up to a hundred transfers, all or none, one call every five seconds."""
        entries = self._checked_entries(request.body)
        if not self._bulk_interval.is_allowed():
            raise rate_limited()
        queued = [self._queue(entry, NO_FAULT) for entry in entries]
        transfers = [_details(transfer) for transfer in queued if transfer is not None]
        return success(f"{len(transfers)} transfers queued.", transfers)

    def _checked_entries(self, body: Document) -> list[Document]:
        entries = body.get("transfers")
        is_list = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
        if not isinstance(entries, list) or not is_list or not entries:
            raise ApiError(400, "transfers is required", code="missing_params")
        if len(entries) > MAX_IN_BULK:
            raise ApiError(400, "At most 100 transfers in a batch", code="invalid_params")
        entries = [entry | {"source": body.get("source")} for entry in entries]
        for entry in entries:
            self._checked_recipient(entry)
        references = [entry["reference"] for entry in entries if entry.get("reference")]
        is_used = any(self._store.get("paystack", "transfer", reference) for reference in references)
        if is_used or len(set(references)) < len(references):
            raise _duplicate()
        return entries

    def _checked_recipient(self, body: Document) -> Document:
        """The recipient of a transfer. Raises ApiError when the transfer is not valid."""
        if body.get("source") != "balance":
            raise ApiError(400, "Transfer source is invalid", code="invalid_transfer_source")
        if subunits(body.get("amount")) is None:
            raise ApiError(400, "Invalid Amount Sent", code="invalid_amount")
        recipient = self._store.get("paystack", "recipient", str(body.get("recipient")))
        if recipient is None:
            raise ApiError(400, "Recipient specified is invalid", code="invalid_transfer_recipient")
        if body.get("currency") not in (None, "", recipient["currency"]):
            raise ApiError(400, "Currency is not the recipient's", code="unsupported_currency")
        if body.get("reference") and not REFERENCE.fullmatch(str(body["reference"])):
            raise ApiError(
                400,
                "Transfer reference must be 16 to 50 characters: lower-case letters, digits, - and _",
                code="invalid_transfer_reference",
            )
        return recipient

    def _queue(self, body: Document, plan: Plan) -> Document | None:
        """The new transfer, or None when its reference has been used before."""
        recipient = self._store.get("paystack", "recipient", str(body["recipient"]))
        amount = subunits(body["amount"])
        assert recipient is not None and amount is not None  # checked before
        now = timestamp(self._sandbox.now())
        transfer: Document = {
            "id": new_id(),
            "transfer_code": new_code("TRF_"),
            "reference": str(body.get("reference") or new_code("")),
            "recipient": recipient["recipient_code"],
            "recipient_id": recipient["id"],
            "subunits": amount,
            "currency": recipient["currency"],
            "reason": body.get("reason"),
            "status": "otp" if major(amount) == NEEDS_OTP else "pending",
            "plan": plan.to_json(),
            "transferred_at": None,
            "created_at": now,
            "updated_at": now,
        }
        if not self._store.insert("paystack", "transfer", transfer["reference"], transfer):
            return None
        if transfer["status"] == "pending":
            self._sandbox.timers.set(TIMER, transfer["reference"], SETTLES_AFTER_S)
        return transfer

    def _settle(self, reference: str, *, is_early: bool = False) -> None:
        now = timestamp(self._sandbox.now())
        if self._store.get("paystack", "transfer", reference) is None:
            return  # the sandbox was reset meanwhile

        def settle(transfer: Document) -> Document | None:
            outcome = Plan.from_json(transfer["plan"]).outcome
            if transfer["status"] != "pending" or outcome == NEVER_SETTLES:
                return None
            transfer["status"] = "success" if not outcome else "reversed" if outcome == REVERSED else "failed"
            transfer["updated_at"] = now
            if transfer["status"] == "success":
                transfer["transferred_at"] = now
                self._record(transfer)
            return dict(transfer)

        ended = self._store.update("paystack", "transfer", reference, settle)
        if ended is not None:
            plan = Plan.from_json(ended["plan"])
            event = f"transfer.{ended['status']}"
            self._callbacks.send_webhook(event, self._webhook_details(ended), plan, is_early=is_early)

    def _record(self, transfer: Document) -> None:
        self._sandbox.records.add(
            "paystack",
            "payout",
            reference=transfer["reference"],
            id=transfer["transfer_code"],
            amount=major(transfer["subunits"]),
            currency=transfer["currency"],
        )

    def _with_recipient(self, transfer: Document) -> Document:
        return _details(transfer) | {
            "recipient": self._store.get("paystack", "recipient", transfer["recipient"])
        }

    def _webhook_details(self, transfer: Document) -> Document:
        integration = {"id": INTEGRATION, "is_live": False, "business_name": "Sandbox"}
        return self._with_recipient(transfer) | {
            "integration": integration,
            "session": {"provider": None, "id": None},
        }


def _details(transfer: Document) -> Document:
    return {
        "integration": INTEGRATION,
        "domain": "test",
        "amount": transfer["subunits"],
        "currency": transfer["currency"],
        "source": "balance",
        "source_details": None,
        "reason": transfer["reason"],
        "recipient": transfer["recipient_id"],
        "status": transfer["status"],
        "failures": None,
        "transfer_code": transfer["transfer_code"],
        "titan_code": None,
        "transferred_at": transfer["transferred_at"],
        "id": transfer["id"],
        "reference": transfer["reference"],
        "created_at": transfer["created_at"],
        "updated_at": transfer["updated_at"],
        "createdAt": transfer["created_at"],
        "updatedAt": transfer["updated_at"],
    }


def _duplicate() -> ApiError:
    message = "Please provide a unique reference. Reference already exists on a transfer"
    return ApiError(400, message, code="duplicate_reference")
