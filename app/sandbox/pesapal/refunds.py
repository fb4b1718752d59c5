"""Refunds: requested by the payment's confirmation code, made when the merchant approves them in the dashboard.

developer.pesapal.com, "Refund request": completed payments only, one refund for each, mobile money whole only, never more
than was collected. A refund has no id and no IPN: the status of the order becomes 3 (REVERSED).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.pesapal.errors import ApiError
from app.sandbox.pesapal.orders import amount_of
from app.sandbox.pesapal.payments import METHODS, Payments
from app.sandbox.store import Document

TIMER: Final = "pesapal.approval"
APPROVAL_TAKES_S: Final = 1.0
REJECTED_AMOUNT: Final = Decimal(7202)
WAITING_AMOUNT: Final = Decimal(7203)
"""Refund amounts that the merchant rejects, or leaves until a user decides on the dashboard's page."""


class Refunds:
    """Requests for refunds, and the merchant's approval."""

    def __init__(self, sandbox: Sandbox, payments: Payments) -> None:
        self._sandbox, self._payments = sandbox, payments
        sandbox.timers.register(TIMER, self._decide_after_delay)

    def create(self, request: ApiRequest) -> Document:
        """`POST /api/Transactions/RefundRequest`."""
        body = request.body
        for name in ("confirmation_code", "username", "remarks"):
            if not isinstance(body.get(name), str) or not body[name].strip():
                raise ApiError(f"missing_{name}", f"The {name} is required.")
        # The documents have a number in the table of parameters and a text in the sample.
        amount = amount_of(body, may_be_text=True)
        code = self._sandbox.store.get("pesapal", "confirmation", body["confirmation_code"])
        if code is None:
            raise ApiError("invalid_confirmation_code", "There is no payment with this confirmation code.")
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
        """Store `refund`. Raises ApiError when the order does not allow it."""
        if order["state"] != "COMPLETED":
            raise ApiError("invalid_transaction_status", "Only completed payments can be refunded.")
        collected = Decimal(order["amount"])
        if amount > collected:
            raise ApiError("invalid_refund_amount", "The refund is more than was collected.")
        if METHODS[order["payment_method"]].is_mobile and amount != collected:
            raise ApiError("invalid_refund_amount", "Mobile money payments can be refunded in full only.")
        id = refund["order"]
        if self._sandbox.store.insert("pesapal", "refund", id, refund):
            return

        def replace(existing: Document) -> None:
            if existing["state"] != "REJECTED":
                raise ApiError("", "Refund request has been received already")
            existing.update(refund)

        self._sandbox.store.update("pesapal", "refund", id, replace)

    def waiting(self) -> list[Document]:
        """The refunds that the merchant has not decided, each with its order as `of`."""
        refunds = self._sandbox.store.find("pesapal", "refund", state="WAITING")
        return [refund | {"of": self._payments.get(refund["order"])} for refund in refunds]

    def decide(self, tracking_id: str, *, is_approved: bool) -> Document:
        """The merchant approves or rejects a refund. Raises ApiError when none is waiting."""
        if self._sandbox.store.get("pesapal", "refund", tracking_id) is None:
            raise ApiError("invalid_refund", "There is no refund of this order.")

        def change(refund: Document) -> Document:
            if refund["state"] != "WAITING":
                raise ApiError("invalid_refund", f"The refund is {refund['state'].lower()} already.")
            refund["state"] = "APPROVED" if is_approved else "REJECTED"
            if is_approved:
                self._sandbox.store.update(
                    "pesapal", "order", tracking_id, lambda order: self._reverse(order, refund)
                )
            return dict(refund)

        return self._sandbox.store.update("pesapal", "refund", tracking_id, change)

    def _reverse(self, order: Document, refund: Document) -> None:
        order["state"] = "REVERSED"
        self._sandbox.records.add(
            "pesapal",
            "refund",
            reference=order["merchant_reference"],
            id=order["confirmation_code"],
            amount=Decimal(refund["amount"]),
            currency=order["currency"],
        )

    def _decide_after_delay(self, tracking_id: str) -> None:
        """The timer decides, unless a user decided on the page or the sandbox was reset."""
        refund = self._sandbox.store.get("pesapal", "refund", tracking_id)
        if refund is not None and refund["state"] == "WAITING":
            self.decide(tracking_id, is_approved=Decimal(refund["amount"]) != REJECTED_AMOUNT)

    def _is_manual(self) -> bool:
        return self._sandbox.dashboard.option("pesapal", "approval") == "manual"
