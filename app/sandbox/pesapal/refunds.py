"""Refunds: asked for by the payment's confirmation code, done when the merchant approves them in the dashboard.

developer.pesapal.com, "Refund request": completed payments only, one refund for each, mobile money whole only, never more
than was collected. There is no refund id and no news of it: the status becomes 3 (REVERSED).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.sandbox.core import Sandbox
from app.sandbox.pesapal.answers import Document, Refused
from app.sandbox.pesapal.orders import amount_of
from app.sandbox.pesapal.payments import METHODS, Payments

TIMER: Final = "pesapal.approval"
APPROVAL_TAKES_S: Final = 1.0
REJECTED_AMOUNT: Final = Decimal(7202)
WAITING_AMOUNT: Final = Decimal(7203)
"""Refund amounts that the merchant rejects, or leaves waiting until somebody decides on the dashboard's page."""


class Refunds:
    """`/api/Transactions/RefundRequest` and the merchant's approval."""

    def __init__(self, sandbox: Sandbox, payments: Payments) -> None:
        self._sandbox, self._payments = sandbox, payments
        sandbox.timers.register(TIMER, self._decide_in_time)

    def request(self, body: Document) -> Document:
        """Ask for a refund. Raises Refused."""
        for name in ("confirmation_code", "username", "remarks"):
            if not isinstance(body.get(name), str) or not body[name].strip():
                raise Refused(f"missing_{name}", f"The {name} is required.")
        # A Float by the table of the document, a text in its sample.
        amount = amount_of(body, may_be_text=True)
        code = self._sandbox.store.get("pesapal", "confirmation", body["confirmation_code"])
        if code is None:
            raise Refused("invalid_confirmation_code", "There is no payment with this confirmation code.")
        tracking_id: str = code["order"]
        refund = {
            "order": tracking_id,
            "state": "WAITING",
            "amount": str(amount),
            "username": body["username"],
            "remarks": body["remarks"],
        }
        self._sandbox.store.update(
            "pesapal", "order", tracking_id, lambda order: self._accept(order, amount, refund)
        )
        if amount != WAITING_AMOUNT and not self._is_manual():
            self._sandbox.timers.set(TIMER, tracking_id, APPROVAL_TAKES_S)
        return {"status": "200", "message": "Refund request successfully"}

    def _accept(self, order: Document, amount: Decimal, refund: Document) -> None:
        """Keep `refund` when the order allows it; one of another order cannot come between."""
        if order["state"] != "COMPLETED":
            raise Refused("invalid_transaction_status", "Only completed payments can be refunded.")
        collected = Decimal(order["amount"])
        if amount > collected:
            raise Refused("invalid_refund_amount", "The refund is more than was collected.")
        if METHODS[order["payment_method"]].is_mobile and amount != collected:
            raise Refused("invalid_refund_amount", "Mobile money payments can be refunded in full only.")
        id = refund["order"]
        if self._sandbox.store.insert("pesapal", "refund", id, refund):
            return

        def again(known: Document) -> None:
            if known["state"] != "REJECTED":
                raise Refused("duplicate_refund", "A refund of this payment was requested before.")
            known.update(refund)

        self._sandbox.store.update("pesapal", "refund", id, again)

    def waiting(self) -> list[Document]:
        """Refunds the merchant has not decided, each with its order."""
        refunds = self._sandbox.store.find("pesapal", "refund", state="WAITING")
        return [refund | {"of": self._payments.get(refund["order"])} for refund in refunds]

    def decide(self, tracking_id: str, *, is_approved: bool) -> Document:
        """The merchant approves or rejects. Raises Refused when nothing waits."""
        if self._sandbox.store.get("pesapal", "refund", tracking_id) is None:
            raise Refused("invalid_refund", "There is no refund of this order.")

        def change(refund: Document) -> Document:
            if refund["state"] != "WAITING":
                raise Refused("invalid_refund", f"The refund is {refund['state'].lower()} already.")
            refund["state"] = "APPROVED" if is_approved else "REJECTED"
            if is_approved:
                self._sandbox.store.update(
                    "pesapal", "order", tracking_id, lambda order: self._reverse(order, refund)
                )
            return dict(refund)

        return self._sandbox.store.update("pesapal", "refund", tracking_id, change)

    def _reverse(self, order: Document, refund: Document) -> None:
        order["state"] = "REVERSED"
        self._sandbox.book.record(
            "pesapal",
            "refund",
            reference=order["merchant_reference"],
            id=order["confirmation_code"],
            amount=Decimal(refund["amount"]),
            currency=order["currency"],
        )

    def _decide_in_time(self, tracking_id: str) -> None:
        """The timer: nothing to do when a person decided on the page, or after a reset."""
        refund = self._sandbox.store.get("pesapal", "refund", tracking_id)
        if refund is not None and refund["state"] == "WAITING":
            self.decide(tracking_id, is_approved=Decimal(refund["amount"]) != REJECTED_AMOUNT)

    def _is_manual(self) -> bool:
        return self._sandbox.dashboard.option("pesapal", "approval") == "manual"
