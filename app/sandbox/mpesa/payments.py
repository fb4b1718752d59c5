"""STK pushes: the prompt on the phone, how it ends, and the callback."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from app import clock
from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT, Plan
from app.sandbox.mpesa import callbacks
from app.sandbox.mpesa.fields import MAXIMUM
from app.sandbox.mpesa.receipts import record_collection
from app.sandbox.mpesa.replies import RESULTS, as_number, checkout_id, compact_time, request_id, written
from app.sandbox.store import Document

PROMPT_LIFETIME_S: Final = 60
"""A prompt without an answer ends after a minute, with result 1037."""

REPEAT_S: Final = 120
"""A second push of the same amount to the same phone within this time ends with result 17."""

SYSTEM_S: Final = 0.3
"""Seconds until M-Pesa ends a push that reaches no phone: normally after the answer of the call."""

RESULT_CODES: Final = {
    "insufficient_funds": "1",
    "cancelled": "1032",
    "timed_out": "1037",
    "declined": "2001",
    "wrong_pin": "2001",
    "duplicate": "17",
    "busy": "26",
}
"""Planned outcome → result code. For any other it is 2001."""

MAGIC: Final = {
    7117: "17",
    7119: "1019",
    7125: "1025",
    7126: "26",
    7128: "2028",
    7136: "1036",
    7138: "E3008",
    7190: "7777",
}
"""Whole shillings → result code, in addition to the amounts with the same meaning at every provider."""

LOCKED: Final = 7118
"""A push of this amount is refused: another prompt is open on the phone."""

STILL_PROCESSING: Final = 7149
"""Until the customer answers, the query has result 4999 in place of HTTP 500."""

CUSTOMER_CODES: Final = frozenset({"0", "1", "1032", "1037", "2001"})
"""The results of pushes that reach the phone."""

WRONG_PIN: Final = "0000"
STK_RESULTS: Final = {**RESULTS, "2001": "The initiator information is invalid. Wrong PIN entered."}


class Pushes:
    """Every push is pending until the customer, the time limit or M-Pesa ends it, once."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def register(self) -> None:
        """Register with the simulated customer and the timers."""
        self._sandbox.customers.register("mpesa", self.act_as_customer)
        self._sandbox.timers.register("mpesa.push_expiry", lambda id: self.end(id, "1037"))
        self._sandbox.timers.register("mpesa.push_system", self._end_by_system)

    def create(self, push: Document, plan: Plan) -> Document:
        """Store an accepted push and schedule how it ends. push: the checked fields of the request."""
        push |= {
            "merchant_request_id": f"{request_id()[:-2]}-{compact_time(self._sandbox.now()) % 10**8}",
            "state": "pending",
            "code": None,
            "receipt": None,
            "plan": plan.to_json(),
            "currency": "KES",
            "at": clock.iso_z(self._sandbox.now()),
        }
        while True:
            push["id"] = checkout_id(self._sandbox.now(), push["phone"])
            push["page"] = f"/sandbox/phone/{push['id']}"
            if self._sandbox.store.insert("mpesa", "push", push["id"], push):
                break
        self._begin(push, plan)
        return push

    def _begin(self, push: Document, plan: Plan) -> None:
        code = self.code_of(push)
        self._sandbox.timers.set("mpesa.push_expiry", push["id"], PROMPT_LIFETIME_S)
        if plan.callback_early:
            self.end(push["id"], code)
        elif code not in CUSTOMER_CODES:
            self._sandbox.timers.set("mpesa.push_system", push["id"], SYSTEM_S)
        elif code != "1037" and not self.is_held(push["phone"]):
            self._sandbox.customers.schedule("mpesa", push["id"])

    def get(self, id: str) -> Document | None:
        """The push with this CheckoutRequestID."""
        return self._sandbox.store.get("mpesa", "push", id)

    def is_locked(self, phone: str) -> bool:
        """Whether an open prompt blocks another one on this phone."""
        return self._is_strict() and bool(
            self._sandbox.store.find("mpesa", "push", phone=phone, state="pending")
        )

    def is_repeat(self, phone: str, amount: int) -> bool:
        """Whether this phone had a push of the same amount a short time ago."""
        if not self._is_strict():
            return False
        now = self._sandbox.now()
        return any(
            (now - datetime.fromisoformat(push["at"])).total_seconds() < REPEAT_S
            for push in self._sandbox.store.find("mpesa", "push", phone=phone, amount=amount)
        )

    def _is_strict(self) -> bool:
        """Off by default, because a demo sends many pushes to one phone."""
        return self._sandbox.dashboard.option("mpesa", "one_prompt") == "on"

    def is_held(self, phone: str) -> bool:
        """Whether a user holds this phone, so that the simulated customer does not answer its prompts."""
        document = self._sandbox.store.get("mpesa", "phone", phone)
        return bool(document and document["is_held"])

    def code_of(self, push: Document) -> str:
        """The result code when the customer answers and no user decides."""
        if push["fixed_code"]:
            return str(push["fixed_code"])
        outcome = Plan.from_json(push["plan"]).outcome
        if outcome is not None:
            return RESULT_CODES.get(outcome, "2001")
        return "3" if push["amount"] > MAXIMUM else MAGIC.get(push["amount"], "0")

    def act_as_customer(self, id: str) -> None:
        """What the simulated customer does: enters the PIN, unless the push has another outcome."""
        push = self.get(id)
        if push is not None and (code := self.code_of(push)) in CUSTOMER_CODES - {"1037"}:
            self.end(id, code)

    def accept(self, id: str, pin: str) -> bool:
        """A user enters a PIN. The account may still have too little money. False when the push had ended."""
        push = self.get(id)
        if push is None:
            return False
        code = self.code_of(push)
        return self.end(id, "2001" if pin == WRONG_PIN else code if code in ("1", "2001") else "0")

    def reject(self, id: str) -> bool:
        """A user cancels. False when the push had ended."""
        return self.end(id, "1032")

    def _end_by_system(self, id: str) -> None:
        push = self.get(id)
        if push is not None:
            self.end(id, self.code_of(push))

    def end(self, id: str, code: str) -> bool:
        """End a pending push with this result, record the money of a success and send the callback.

        False when the push had ended before.
        """
        plan = NO_FAULT

        def change(push: Document) -> dict[str, Any] | None:
            nonlocal plan
            if push["state"] != "pending":
                return None
            plan = Plan.from_json(push["plan"])
            push["code"] = code
            push["state"] = "paid" if code == "0" else "failed"
            if code == "0":
                self._record(push)
            message = self._callback(push, plan)
            if not plan.callback_early:
                callbacks.send(self._sandbox, push["callback_url"], message, plan)
            return message

        try:
            message = self._sandbox.store.update("mpesa", "push", id, change)
        except KeyError:  # the sandbox was reset meanwhile
            return False
        if message is None:
            return False
        self._sandbox.timers.cancel("mpesa.push_expiry", id)
        self._sandbox.customers.cancel("mpesa", id)
        push = self.get(id)
        if plan.callback_early and push is not None:
            callbacks.send(self._sandbox, push["callback_url"], message, plan, is_early=True)
        return True

    def _record(self, push: Document) -> None:
        push["receipt"] = record_collection(
            self._sandbox,
            "push",
            of=push["id"],
            amount=push["amount"],
            phone=push["phone"],
            reference=push["reference"],
            shortcode=push["party_b"],
        )
        push["paid_at"] = clock.iso_z(self._sandbox.now())

    def _callback(self, push: Document, plan: Plan) -> dict[str, Any]:
        callback: dict[str, Any] = {
            "MerchantRequestID": push["merchant_request_id"],
            "CheckoutRequestID": push["id"],
            "ResultCode": as_number(written(self._sandbox, push["code"])),
            "ResultDesc": STK_RESULTS[push["code"]],
        }
        if push["code"] == "0":
            items = [
                {"Name": "Amount", "Value": float(push["amount"] + plan.wrong_amount)},
                {"Name": "MpesaReceiptNumber", "Value": push["receipt"]},
                {"Name": "Balance"},
                {"Name": "TransactionDate", "Value": compact_time(self._sandbox.now())},
                {"Name": "PhoneNumber", "Value": int(push["phone"])},
            ]
            callback["CallbackMetadata"] = {"Item": items}
        return {"Body": {"stkCallback": callback}}
