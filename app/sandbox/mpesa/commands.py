"""Commands of the API operator: accepted at once, carried out a moment later, and answered by a result message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app import clock
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.mpesa import callbacks, messages
from app.sandbox.mpesa.errors import ApiError
from app.sandbox.mpesa.replies import conversation_id, request_id, written
from app.sandbox.store import Document

TIMER: Final = "mpesa.command"
PROCESSING_S: Final = 0.5
"""Seconds from the acceptance to the result."""

RESULT_CODES: Final = {"insufficient_funds": "1", "busy": "26", "duplicate": "17", "wrong_pin": "2001"}
"""Planned outcome → result code. For any other it is 8: the receiver's account is full."""

OWN_ID_AMOUNT: Final = 7130
"""The result of a payout of this amount has Daraja's OriginatorConversationID, not the merchant's."""

TIMED_OUT: Final = "timed_out"
"""The planned outcome of a command that is carried out although the merchant gets a time-out at QueueTimeOutURL."""

CarryOut = Callable[[Document], str]


class Commands:
    """Each command is pending, then done or failed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._carry_out: dict[str, CarryOut] = {}
        sandbox.timers.register(TIMER, self.settle)

    def register(self, operation: str, carry_out: CarryOut) -> None:
        """`carry_out(command)` moves the money of a command of this operation, and returns the result code."""
        self._carry_out[operation] = carry_out

    def accept(self, command: Document, plan: Plan) -> dict[str, Any]:
        """Store the command; the acknowledgement. Raises ApiError when its OriginatorConversationID was used before."""
        now = self._sandbox.now()
        conversation = conversation_id(now)
        own_originator = f"{request_id()[:-2]}-1"
        command |= {
            "conversation": conversation,
            "own_originator": own_originator,
            "state": "pending",
            "code": None,
            "receipt": None,
            "plan": plan.to_json(),
            "at": clock.iso_z(now),
        }
        command.setdefault("originator", own_originator)
        with self._sandbox.database.transaction():
            document = {"conversation": conversation}
            if not self._sandbox.store.insert("mpesa", "originator", command["originator"], document):
                raise ApiError(500, "500.002.1001", "Duplicate OriginatorConversationID.")
            self._sandbox.store.insert("mpesa", "command", conversation, command)
            if not plan.callback_early:
                self._sandbox.timers.set(TIMER, conversation, PROCESSING_S)
        if plan.callback_early:
            self.settle(conversation)
        return {
            "ConversationID": conversation,
            "OriginatorConversationID": command["originator"],
            "ResponseCode": written(self._sandbox, "0"),
            "ResponseDescription": "Accept the service request successfully.",
        }

    def settle(self, conversation: str) -> None:
        """Carry out a pending command and send its result. Nothing happens when it is not pending."""
        early: list[tuple[str, dict[str, Any], Plan]] = []

        def change(command: Document) -> None:
            if command["state"] != "pending":
                return
            plan = Plan.from_json(command["plan"])
            command["code"] = _refusal(command, plan) or self._carry_out[command["operation"]](command)
            command["state"] = "done" if command["code"] == "0" else "failed"
            url, message = self._callback(command, plan)
            if plan.callback_early:
                early.append((url, message, plan))
            else:
                callbacks.send(self._sandbox, url, message, plan)

        if self._sandbox.store.get("mpesa", "command", conversation) is not None:
            self._sandbox.store.update("mpesa", "command", conversation, change)
        for url, message, plan in early:
            callbacks.send(self._sandbox, url, message, plan, is_early=True)

    def _callback(self, command: Document, plan: Plan) -> tuple[str, dict[str, Any]]:
        """The URL and the message."""
        if plan.outcome == TIMED_OUT:
            return command["timeout_url"], messages.timed_out(command)
        subject = self.subject_of(command) if command["operation"] == "status" else None
        has_own_id = command["operation"] in ("b2c", "b2b") and command["amount"] == OWN_ID_AMOUNT
        originator = command["own_originator" if has_own_id else "originator"]
        message = messages.result(self._sandbox, command, subject, originator)
        if plan.wrong_amount:
            messages.add_a_shilling(message)
        return command["result_url"], message

    def subject_of(self, query: Document) -> Document | None:
        """The command or receipt that a status query is about, by receipt or by OriginatorConversationID."""
        store = self._sandbox.store
        if query["of_receipt"]:
            receipt = store.get("mpesa", "receipt", query["of_receipt"])
            return receipt and (store.get("mpesa", "command", receipt["of"]) or _as_command(receipt))
        originator = store.get("mpesa", "originator", query["of_conversation"])
        command = originator and store.get("mpesa", "command", originator["conversation"])
        return command if command and command["operation"] in ("b2c", "b2b", "reversal") else None


def _refusal(command: Document, plan: Plan) -> str | None:
    """The result code of a command that is not carried out."""
    if not command["is_operator"]:
        return "2001"
    if not command["is_own"]:
        return "2028"
    return None if plan.outcome in (None, TIMED_OUT) else RESULT_CODES.get(str(plan.outcome), "8")


def _as_command(receipt: Document) -> Document:
    """A collection in the form of a command that is done."""
    return {
        "operation": receipt["kind"],
        "state": "done",
        "amount": receipt["amount"],
        "receipt": receipt["receipt"],
        "party_a": receipt["phone"],
        "party_b": receipt["shortcode"],
        "conversation": "",
        "at": receipt["at"],
        "originator": receipt["of"],
    }
