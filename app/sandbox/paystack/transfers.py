"""Paystack's transfers: to a recipient, once a reference, paid a second later."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, Response, g

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.paystack import answers
from app.sandbox.paystack.transactions import page
from app.sandbox.paystack.webhooks import Webhooks

TIMER: Final = "paystack.transfer"
SETTLES_AFTER_S: Final = 1.0
NEVER_SETTLES: Final = "timed_out"
REVERSED: Final = "cancelled"

WANTS_OTP: Final = Decimal(7121)
AT_ONCE: Final = Decimal(7122)
"""Amounts in major units: the merchant must confirm with a code; the answer says success already."""

OTP: Final = "123456"
REFERENCE: Final = re.compile(r"[a-z0-9_-]{16,50}")
MAX_IN_BULK: Final = 100
BULK_EVERY: Final = timedelta(seconds=5)

OPENING: Final = dict.fromkeys(("NGN", "GHS", "ZAR", "KES", "USD", "XOF", "EGP", "RWF"), 100_000_000_00)
"""Opening balance in subunits: enough for any test."""

Document = dict[str, Any]


class Transfers:
    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store
        self._webhooks = webhooks
        self._bulk_lock = threading.Lock()
        self._no_bulk_before = sandbox.now()
        sandbox.timers.register(TIMER, self._settle)

    def add_to(self, blueprint: Blueprint) -> None:
        transfer = answers.steered(self._sandbox, "transfer")(self.transfer)
        verify = answers.steered(self._sandbox, "transfer_verify", has_magic=False)(self.verify)
        add = blueprint.add_url_rule
        add("/transfer", "transfer", view_func=transfer, methods=["POST"])
        add("/transfer", "transfers", view_func=self.list)
        add("/transfer/finalize_transfer", "finalize", view_func=self.finalize, methods=["POST"])
        add("/transfer/bulk", "bulk", view_func=self.bulk, methods=["POST"])
        add("/transfer/verify/<path:ref>", "transfer_verify", view_func=verify)
        add("/transfer/<code>", "transfer_get", view_func=self.get)

    def transfer(self) -> Response:
        sent = answers.body()
        if (refusal := self._refusal_of(sent)) is not None:
            return refusal
        if g.plan.fate == "insufficient_funds" or not self._is_covered(sent):
            return answers.refused(
                400, "Your balance is not enough to fulfil this request", code="insufficient_balance"
            )
        kept = self._queue(sent, g.plan)
        if kept is None:
            return _duplicate()
        if kept["status"] == "otp":
            return answers.ok("Transfer requires OTP to continue", _details(kept))
        if g.plan.callback_early or answers.major(kept["subunits"]) == AT_ONCE:
            self._settle(kept["reference"], is_early=g.plan.callback_early)
            kept = self._store.get("paystack", "transfer", kept["reference"]) or kept
        return answers.ok("Transfer has been queued", _details(kept))

    def finalize(self) -> Response:
        """The merchant's code for a transfer whose status is `otp`."""
        sent = answers.body()
        found = self._store.find("paystack", "transfer", transfer_code=str(sent.get("transfer_code")))
        if not found:
            return answers.refused(404, "Transfer code is invalid", code="transfer_not_found")
        if found[0]["status"] != "otp":
            return answers.refused(
                400, "Transfer is not currently awaiting OTP", code="transfer_not_awaiting_otp"
            )
        if str(sent.get("otp")) != OTP:
            return answers.refused(400, "OTP is invalid", code="invalid_otp")

        def queue(kept: Document) -> Document:
            if kept["status"] == "otp":
                kept["status"] = "pending"
            return dict(kept)

        kept = self._store.update("paystack", "transfer", found[0]["reference"], queue)
        self._sandbox.timers.set(TIMER, kept["reference"], SETTLES_AFTER_S)
        return answers.ok("Transfer has been queued", _details(kept))

    def verify(self, ref: str) -> Response:
        kept = self._store.get("paystack", "transfer", ref)
        if kept is None:
            return answers.refused(404, "Transfer not found", code="transfer_not_found")
        return answers.ok("Transfer retrieved", self._with_recipient(kept))

    def get(self, code: str) -> Response:
        """By transfer code or id."""
        is_id = code.isascii() and code.isdigit() and len(code) < 19
        by = {"id": int(code)} if is_id else {"transfer_code": code}
        found = self._store.find("paystack", "transfer", **by)
        if not found:
            return answers.refused(404, "Transfer not found", code="transfer_not_found")
        return answers.ok("Transfer retrieved", self._with_recipient(found[0]))

    def list(self) -> Response:
        found = self._store.find("paystack", "transfer")
        return page("Transfers retrieved", [self._with_recipient(kept) for kept in reversed(found)])

    def bulk(self) -> Response:
        """Up to a hundred, at most every five seconds; all of them or none."""
        sent = answers.body()
        entries = sent.get("transfers")
        if (
            not isinstance(entries, list)
            or not all(isinstance(each, dict) for each in entries)
            or not entries
        ):
            return answers.refused(400, "transfers is required", code="missing_params")
        if len(entries) > MAX_IN_BULK:
            return answers.refused(400, "At most 100 transfers in a batch", code="invalid_params")
        entries = [each | {"source": sent.get("source")} for each in entries]
        for each in entries:
            if (refusal := self._refusal_of(each)) is not None:
                return refusal
        references = [each["reference"] for each in entries if each.get("reference")]
        known = any(self._store.get("paystack", "transfer", each) for each in references)
        if known or len(set(references)) < len(references):
            return _duplicate()
        if not self._may_bulk():
            return answers.too_many()
        queued = [kept for each in entries if (kept := self._queue(each, Plan())) is not None]
        return answers.ok(f"{len(queued)} transfers queued.", [_details(kept) for kept in queued])

    def _may_bulk(self) -> bool:
        with self._bulk_lock:
            now = self._sandbox.now()
            if now < self._no_bulk_before:
                return False
            self._no_bulk_before = now + BULK_EVERY
            return True

    def _refusal_of(self, sent: Document) -> Response | None:
        if sent.get("source") != "balance":
            return answers.refused(400, "Transfer source is invalid", code="invalid_transfer_source")
        if answers.subunits(sent.get("amount")) is None:
            return answers.refused(400, "Invalid Amount Sent", code="invalid_amount")
        recipient = self._store.get("paystack", "recipient", str(sent.get("recipient")))
        if recipient is None:
            return answers.refused(400, "Recipient specified is invalid", code="invalid_transfer_recipient")
        if sent.get("currency") not in (None, "", recipient["currency"]):
            return answers.refused(400, "Currency is not the recipient's", code="unsupported_currency")
        if sent.get("reference") and not REFERENCE.fullmatch(str(sent["reference"])):
            return answers.refused(
                400,
                "Transfer reference must be 16 to 50 characters: lower-case letters, digits, - and _",
                code="invalid_transfer_reference",
            )
        return None

    def _is_covered(self, sent: Document) -> bool:
        recipient = self._store.get("paystack", "recipient", str(sent["recipient"]))
        amount = answers.subunits(sent["amount"])
        assert recipient is not None and amount is not None  # _refusal_of has seen them
        return amount <= balance(self._sandbox, recipient["currency"])

    def _queue(self, sent: Document, plan: Plan) -> Document | None:
        """The new transfer, or None when its reference has been used before."""
        recipient = self._store.get("paystack", "recipient", str(sent["recipient"]))
        amount = answers.subunits(sent["amount"])
        assert recipient is not None and amount is not None  # _refusal_of has seen them
        moment = answers.stamp(self._sandbox.now())
        kept: Document = {
            "id": answers.new_id(),
            "transfer_code": answers.new_code("TRF_"),
            "reference": str(sent.get("reference") or answers.new_code("")),
            "recipient": recipient["recipient_code"],
            "recipient_id": recipient["id"],
            "subunits": amount,
            "currency": recipient["currency"],
            "reason": sent.get("reason"),
            "status": "otp" if answers.major(amount) == WANTS_OTP else "pending",
            "plan": plan.to_json(),
            "transferred_at": None,
            "created_at": moment,
            "updated_at": moment,
        }
        if not self._store.insert("paystack", "transfer", kept["reference"], kept):
            return None
        if kept["status"] == "pending":
            self._sandbox.timers.set(TIMER, kept["reference"], SETTLES_AFTER_S)
        return kept

    def _settle(self, reference: str, *, is_early: bool = False) -> None:
        moment = answers.stamp(self._sandbox.now())
        if self._store.get("paystack", "transfer", reference) is None:
            return  # the sandbox was reset in the meantime

        def settle(kept: Document) -> Document | None:
            fate = Plan.from_json(kept["plan"]).fate
            if kept["status"] != "pending" or fate == NEVER_SETTLES:
                return None
            kept["status"] = "success" if not fate else "reversed" if fate == REVERSED else "failed"
            kept["updated_at"] = moment
            if kept["status"] == "success":
                kept["transferred_at"] = moment
                self._record(kept)
            return dict(kept)

        ended = self._store.update("paystack", "transfer", reference, settle)
        if ended is not None:
            plan = Plan.from_json(ended["plan"])
            event = f"transfer.{ended['status']}"
            self._webhooks.send(event, self._in_webhook(ended), plan, is_early=is_early)

    def _record(self, kept: Document) -> None:
        self._sandbox.book.record(
            "paystack",
            "payout",
            reference=kept["reference"],
            id=kept["transfer_code"],
            amount=answers.major(kept["subunits"]),
            currency=kept["currency"],
        )

    def _with_recipient(self, kept: Document) -> Document:
        return _details(kept) | {"recipient": self._store.get("paystack", "recipient", kept["recipient"])}

    def _in_webhook(self, kept: Document) -> Document:
        integration = {"id": answers.INTEGRATION, "is_live": False, "business_name": "Sandbox"}
        return self._with_recipient(kept) | {
            "integration": integration,
            "session": {"provider": None, "id": None},
        }


def balance(sandbox: Sandbox, currency: str) -> int:
    """Subunits the merchant may spend: the opening balance, plus payments less fees, less refunds and transfers."""
    total = OPENING[currency]
    for kept in sandbox.store.find("paystack", "transaction", currency=currency):
        if kept["status"] in ("success", "reversed"):
            total += kept["charged_subunits"] - kept["fees"] - kept["refunded"]
    for kept in sandbox.store.find("paystack", "transfer", currency=currency):
        total -= kept["subunits"] if kept["status"] in ("pending", "otp", "success") else 0
    return total


def _details(kept: Document) -> Document:
    return {
        "integration": answers.INTEGRATION,
        "domain": "test",
        "amount": kept["subunits"],
        "currency": kept["currency"],
        "source": "balance",
        "source_details": None,
        "reason": kept["reason"],
        "recipient": kept["recipient_id"],
        "status": kept["status"],
        "failures": None,
        "transfer_code": kept["transfer_code"],
        "titan_code": None,
        "transferred_at": kept["transferred_at"],
        "id": kept["id"],
        "reference": kept["reference"],
        "created_at": kept["created_at"],
        "updated_at": kept["updated_at"],
        "createdAt": kept["created_at"],
        "updatedAt": kept["updated_at"],
    }


def _duplicate() -> Response:
    return answers.refused(
        400,
        "Please provide a unique reference. Reference already exists on a transfer",
        code="duplicate_reference",
    )
