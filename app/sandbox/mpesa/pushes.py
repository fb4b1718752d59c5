"""STK pushes: from the prompt on a phone to the callback."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from app import clock
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.mpesa.fields import LARGEST
from app.sandbox.mpesa.receipts import new_receipt
from app.sandbox.mpesa.replies import RESULTS, checkout_id, compact_time, request_id
from app.sandbox.store import Document

PROMPT_LIFE_S: Final = 60
"""A prompt nobody answers is gone after a minute: result 1037."""

REPEAT_S: Final = 120
"""Within so many seconds a second push of the same amount to the same phone ends with result 17."""

SYSTEM_S: Final = 0.3
"""Until M-Pesa itself ends a push that reaches no phone; after the answer, as a rule."""

FATES: Final = {
    "insufficient_funds": "1", "cancelled": "1032", "timed_out": "1037", "declined": "2001", "wrong_pin": "2001",
    "duplicate": "17", "busy": "26",
}  # fmt: skip
MAGIC: Final = {7117: "17", 7119: "1019", 7125: "1025", 7126: "26", 7128: "2028", 7190: "7777"}
"""Whole shillings → result code, besides the amounts that mean the same at every provider."""

LOCKED: Final = 7118
STILL_PROCESSING: Final = 7149
"""While the customer has not answered, the query says result 4999 and not HTTP 500."""

OF_THE_CUSTOMER: Final = frozenset({"0", "1", "1032", "1037", "2001"})
WRONG_PIN: Final = "0000"
STK_RESULTS: Final = {**RESULTS, "2001": "The initiator information is invalid. Wrong PIN entered."}


class Pushes:
    """Every push is pending until exactly one of customer, minute or M-Pesa ends it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def attach(self) -> None:
        """Be the one whom the customer and the timers call."""
        self._sandbox.customers.register("mpesa", self.pay)
        self._sandbox.timers.register("mpesa.push_expiry", lambda id: self.end(id, "1037"))
        self._sandbox.timers.register("mpesa.push_system", self._end_by_system)

    def create(self, push: Document, plan: Plan) -> Document:
        """Keep a push that was accepted and let things happen to it. `push`: the request's fields, checked."""
        push |= {
            "merchant_request_id": f"{request_id()[:-2]}-{compact_time(self._sandbox.now()) % 10**8}",
            "state": "pending", "code": None, "receipt": None, "plan": plan.to_json(), "currency": "KES",
            "at": clock.iso_z(self._sandbox.now()),
        }  # fmt: skip
        while True:
            push["id"] = checkout_id(self._sandbox.now(), push["phone"])
            push["page"] = f"/sandbox/phone/{push['id']}"
            if self._sandbox.store.insert("mpesa", "push", push["id"], push):
                break
        self._begin(push, plan)
        return push

    def _begin(self, push: Document, plan: Plan) -> None:
        code = self.code_of(push)
        self._sandbox.timers.set("mpesa.push_expiry", push["id"], PROMPT_LIFE_S)
        if plan.callback_early:
            self.end(push["id"], code)
        elif code not in OF_THE_CUSTOMER:
            self._sandbox.timers.set("mpesa.push_system", push["id"], SYSTEM_S)
        elif code != "1037" and not self.is_held(push["phone"]):
            self._sandbox.customers.expect("mpesa", push["id"])

    def get(self, id: str) -> Document | None:
        """The push of this CheckoutRequestID."""
        return self._sandbox.store.get("mpesa", "push", id)

    def is_locked(self, phone: str) -> bool:
        """Whether an open prompt keeps the next one off this phone."""
        return self._is_strict() and bool(
            self._sandbox.store.find("mpesa", "push", phone=phone, state="pending")
        )

    def is_repeat(self, phone: str, amount: int) -> bool:
        """Whether this phone was asked for the same amount a moment ago."""
        if not self._is_strict():
            return False
        now = self._sandbox.now()
        return any(
            (now - datetime.fromisoformat(push["at"])).total_seconds() < REPEAT_S
            for push in self._sandbox.store.find("mpesa", "push", phone=phone, amount=amount)
        )

    def _is_strict(self) -> bool:
        """Off unless control says so: a demo asks one phone again and again."""
        return self._sandbox.dashboard.option("mpesa", "one_prompt") == "on"

    def is_held(self, phone: str) -> bool:
        """Whether a person has this phone in hand, so that nobody answers in his place."""
        held = self._sandbox.store.get("mpesa", "phone", phone)
        return bool(held and held["is_held"])

    def code_of(self, push: Document) -> str:
        """How the push ends when the customer is willing."""
        if push["code_ahead"]:
            return str(push["code_ahead"])
        fate = Plan.from_json(push["plan"]).fate
        if fate is not None:
            return FATES.get(fate, "2001")
        return "3" if push["amount"] > LARGEST else MAGIC.get(push["amount"], "0")

    def pay(self, id: str) -> None:
        """The simulated customer: enters the PIN, or does what the amount says."""
        push = self.get(id)
        if push is not None and (code := self.code_of(push)) in OF_THE_CUSTOMER - {"1037"}:
            self.end(id, code)

    def accept(self, id: str, pin: str) -> bool:
        """A person enters a PIN. The account may still lack the money. False when it was too late."""
        push = self.get(id)
        if push is None:
            return False
        code = self.code_of(push)
        return self.end(id, "2001" if pin == WRONG_PIN else code if code in ("1", "2001") else "0")

    def reject(self, id: str) -> bool:
        """A person says no. False when it was too late."""
        return self.end(id, "1032")

    def _end_by_system(self, id: str) -> None:
        push = self.get(id)
        if push is not None:
            self.end(id, self.code_of(push))

    def end(self, id: str, code: str) -> bool:
        """End a pending push with this result, move the money of a success and send the callback.

        False when it had ended before.
        """
        plan = Plan()

        def change(push: Document) -> bytes | None:
            nonlocal plan
            if push["state"] != "pending":
                return None
            plan = Plan.from_json(push["plan"])
            push["code"] = code
            push["state"] = "paid" if code == "0" else "failed"
            if code == "0":
                self._take(push)
            body = json.dumps(self._callback(push, plan)).encode()
            if not plan.callback_early:
                self._send(push, body, plan)
            return body

        try:
            body = self._sandbox.store.update("mpesa", "push", id, change)
        except KeyError:  # the sandbox was reset meanwhile
            return False
        if body is None:
            return False
        self._sandbox.timers.cancel("mpesa.push_expiry", id)
        self._sandbox.customers.import_external_refunds("mpesa", id)
        push = self.get(id)
        if plan.callback_early and push is not None:
            self._sandbox.courier.send_now("mpesa", push["callback_url"], body=body, headers=JSON, plan=plan)
        return True

    def _take(self, push: Document) -> None:
        """The money moves: a receipt and a line in the book."""
        push["receipt"] = new_receipt(
            self._sandbox, "push", of=push["id"], amount=push["amount"], phone=push["phone"],
            reference=push["reference"], shortcode=push["party_b"],
        )  # fmt: skip
        push["paid_at"] = clock.iso_z(self._sandbox.now())
        self._sandbox.book.record(
            "mpesa", "charge", reference=push["reference"], id=push["receipt"], amount=Decimal(push["amount"]),
            currency="KES",
        )  # fmt: skip

    def _send(self, push: Document, body: bytes, plan: Plan) -> None:
        # One push has one piece of news: out of order means that it comes again.
        copies = 2 if plan.callback_reorder else plan.callback_copies
        plan = replace(plan, callback_copies=copies)
        self._sandbox.courier.send("mpesa", push["callback_url"], body=body, headers=JSON, plan=plan)

    def _callback(self, push: Document, plan: Plan) -> dict[str, Any]:
        told: dict[str, Any] = {
            "MerchantRequestID": push["merchant_request_id"],
            "CheckoutRequestID": push["id"],
            "ResultCode": int(push["code"]),
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
            told["CallbackMetadata"] = {"Item": items}
        return {"Body": {"stkCallback": told}}


JSON: Final = {"Content-Type": "application/json"}
