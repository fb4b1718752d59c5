"""What becomes of a command, once and for all, and the message that tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.mpesa import messages
from app.sandbox.mpesa.fields import LARGEST
from app.sandbox.mpesa.pushes import JSON
from app.sandbox.mpesa.receipts import new_receipt
from app.sandbox.store import Document

SMALLEST_TO_PHONE: Final = 10

FATES: Final = {"insufficient_funds": "1", "busy": "26", "duplicate": "17", "wrong_pin": "2001"}
"""Fates of payouts and reversals; any other is 8, the receiver's account is full."""

MAGIC: Final = {7117: "17", 7126: "26", 7128: "2028", 7140: "2040", 7190: "7777"}
"""Amount of a payout, whole shillings → result code."""

OWN_ID_AMOUNT: Final = 7130
"""The result of a payout of this amount carries Daraja's OriginatorConversationID, not the merchant's."""

LOST: Final = "timed_out"
"""The fate of a command that is carried out, but whose merchant hears at QueueTimeOutURL that it was not in time."""


class Outcomes:
    """Commands are pending, then done or failed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def settle(self, conversation: str) -> None:
        """Carry a pending command out and send its result. Nothing happens the second time."""
        early: list[tuple[str, bytes, Plan]] = []

        def change(command: Document) -> None:
            if command["state"] != "pending":
                return
            plan = Plan.from_json(command["plan"])
            command["code"] = self._carry_out(command, plan)
            command["state"] = "done" if command["code"] == "0" else "failed"
            url, body = self._news(command, plan)
            if plan.callback_early:
                early.append((url, body, plan))
                return
            copies = 2 if plan.callback_reorder else plan.callback_copies
            plan = replace(plan, callback_copies=copies)
            self._sandbox.courier.send("mpesa", url, body=body, headers=JSON, plan=plan)

        if self._sandbox.store.get("mpesa", "command", conversation) is not None:
            self._sandbox.store.update("mpesa", "command", conversation, change)
        for url, body, plan in early:
            self._sandbox.courier.send_now("mpesa", url, body=body, headers=JSON, plan=plan)

    def _carry_out(self, command: Document, plan: Plan) -> str:
        """The result code; what a success moves has been moved."""
        refusal = self._refusal(command, plan)
        if refusal is not None:
            return refusal
        match command["operation"]:
            case "b2c" | "b2b":
                return self._pay_out(command)
            case "reversal":
                return self._reverse(command)
            case "status":
                return "0" if self._asked_about(command) else "R000002"
        return "0"

    def _refusal(self, command: Document, plan: Plan) -> str | None:
        if not command["is_operator"]:
            return "2001"
        if not command["is_own"]:
            return "2028"
        return None if plan.fate in (None, LOST) else FATES.get(str(plan.fate), "8")

    def _pay_out(self, command: Document) -> str:
        amount = command["amount"]
        if command["operation"] == "b2c" and amount < SMALLEST_TO_PHONE:
            return "2"
        if amount > LARGEST:
            return "3"
        if amount in MAGIC:
            return MAGIC[amount]
        self._receipt(command, "b2c" if command["operation"] == "b2c" else "b2b", command["reference"])
        self._book(command, "payout", command["reference"] or command["originator"])
        return "0"

    def _reverse(self, command: Document) -> str:
        """Only whole collections, and each once."""
        original = self._sandbox.store.get("mpesa", "receipt", command["of_receipt"])
        if original is None or original["kind"] not in ("push", "c2b"):
            return "R000002"
        if original["is_reversed"]:
            return "R000001"
        if original["amount"] != command["amount"]:
            return "25"
        self._sandbox.store.update(
            "mpesa", "receipt", command["of_receipt"], lambda receipt: receipt.update(is_reversed=True)
        )
        command["party_b"] = original["phone"]
        self._receipt(command, "reversal", original["reference"])
        self._book(command, "refund", original["reference"])
        return "0"

    def _receipt(self, command: Document, kind: Any, reference: str) -> None:
        command["receipt"] = new_receipt(
            self._sandbox, kind, of=command["conversation"], amount=command["amount"], phone=command["party_b"],
            reference=reference, shortcode=command["party_a"],
        )  # fmt: skip

    def _book(self, command: Document, kind: Any, reference: str) -> None:
        self._sandbox.book.record(
            "mpesa", kind, reference=reference, id=command["receipt"], amount=Decimal(command["amount"]),
            currency="KES",
        )  # fmt: skip

    def _news(self, command: Document, plan: Plan) -> tuple[str, bytes]:
        """Where to, and what."""
        if plan.fate == LOST:
            return command["timeout_url"], _dumped(messages.timed_out(command))
        about = self._asked_about(command) if command["operation"] == "status" else None
        own_id = command["operation"] in ("b2c", "b2b") and command["amount"] == OWN_ID_AMOUNT
        originator = command["own_originator" if own_id else "originator"]
        message = messages.result(self._sandbox, command, about, originator)
        if plan.wrong_amount:
            messages.add_a_shilling(message)
        return command["result_url"], _dumped(message)

    def _asked_about(self, command: Document) -> Document | None:
        """The command or receipt a status query is about: by receipt, or by its OriginatorConversationID."""
        store = self._sandbox.store
        if command["of_receipt"]:
            receipt = store.get("mpesa", "receipt", command["of_receipt"])
            return receipt and (store.get("mpesa", "command", receipt["of"]) or _standing_of(receipt))
        known = store.get("mpesa", "originator", command["of_conversation"])
        found = known and store.get("mpesa", "command", known["conversation"])
        return found if found and found["operation"] in ("b2c", "b2b", "reversal") else None


def _standing_of(receipt: Document) -> Document:
    """A collection, told as a command that is done."""
    return {
        "operation": receipt["kind"], "state": "done", "amount": receipt["amount"], "receipt": receipt["receipt"],
        "party_a": receipt["phone"], "party_b": receipt["shortcode"], "conversation": "", "at": receipt["at"],
        "originator": receipt["of"],
    }  # fmt: skip


def _dumped(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()
