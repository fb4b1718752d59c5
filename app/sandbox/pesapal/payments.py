"""What happens to an order: attempts to pay it, its status, its cancellation.

A failed attempt is not the end: the customer may try again on the page, so 2 (FAILED) may become 1 (COMPLETED).
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.pesapal.answers import Document, Refused, error_object, number
from app.sandbox.pesapal.notifications import Notifications

STATUS_CODES: Final = {"PENDING": 0, "INVALID": 0, "COMPLETED": 1, "FAILED": 2, "REVERSED": 3}
NO_ERROR: Final = {"error_type": None, "code": None, "message": None, "call_back_url": None}
"""On success the error is an object whose members are all null."""

PAYABLE: Final = ("PENDING", "FAILED")
"""INVALID is an order that was cancelled."""

REORDER_STEP_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay. account: what is shown of the payer's."""

    name: str
    is_mobile: bool
    account: str


METHODS: Final = {
    "Visa": Method("Visa", False, "476173**0010"),
    "MasterCard": Method("MasterCard", False, "520000**0114"),
    "MpesaKE": Method("MpesaKE", True, "2547xxx78000"),
    "AirtelKE": Method("AirtelKE", True, "2547xxx55000"),
    "MTNUG": Method("MTNUG", True, "2567xxx10000"),
    "TigoTZ": Method("TigoTZ", True, "2557xxx20000"),
}

FAILURES: Final = {
    # What becomes of a payment → (payment_status_code, description)
    "insufficient_funds": ("insufficient_funds", "The balance is insufficient for the transaction."),
    "cancelled": ("request_terminated_by_user", "The customer cancelled the payment."),
    "declined": ("card_declined", "The payment was declined by the bank."),
    "wrong_pin": ("wrong_pin", "The initiator information is invalid: wrong PIN."),
}

MOBILE_AMOUNT: Final = Decimal(7130)
"""An order of this amount is paid by M-Pesa when nobody clicks; every other one by card."""


class Payments:
    """Orders on their way."""

    def __init__(self, sandbox: Sandbox, notifications: Notifications) -> None:
        self._sandbox, self._notifications = sandbox, notifications

    def get(self, tracking_id: object) -> Document:
        """The order. Raises Refused."""
        found = None
        if isinstance(tracking_id, str):
            found = self._sandbox.store.get("pesapal", "order", tracking_id)
        if found is None:
            raise Refused("invalid_order_tracking_id", "There is no order with this tracking id.")
        return found

    def status(self, tracking_id: object) -> Document:
        """`/api/Transactions/GetTransactionStatus`. Nothing was tried yet: an error, `Pending Payment`."""
        order = self.get(tracking_id)
        is_pending = order["state"] == "PENDING"
        message = "Pending Payment" if is_pending else "Request processed successfully"
        error = error_object("payment_details_not_found", message) | {"call_back_url": None}
        return {
            "payment_method": order["payment_method"],
            "amount": number(order["amount"]),
            "created_date": order["created_date"],
            "confirmation_code": order["confirmation_code"],
            "payment_status_description": "INVALID" if is_pending else _described(order["state"]),
            "description": order["failure"] or None,
            "message": message,
            "payment_account": order["payment_account"],
            "call_back_url": order["callback_url"],
            "status_code": STATUS_CODES[order["state"]],
            "merchant_reference": order["merchant_reference"],
            "payment_status_code": order["failure_code"],
            "currency": order["currency"],
            "error": error if is_pending else dict(NO_ERROR),
            "status": "500" if is_pending else "200",
        }

    def cancel(self, body: Document) -> Document:
        """`/api/Transactions/CancelOrder`: a pending or failed order, once. Raises Refused."""
        tracking_id = body.get("order_tracking_id")
        self.get(tracking_id)
        assert isinstance(tracking_id, str)

        def change(order: Document) -> None:
            _require_payable(order)
            order.update(state="INVALID", failure="The merchant cancelled the order.")

        self._sandbox.store.update("pesapal", "order", tracking_id, change)
        self._sandbox.customers.import_external_refunds("pesapal", tracking_id)
        return {"status": "200", "message": "Order successfully cancelled."}

    # --- the customer

    def willing_customer(self, tracking_id: str) -> None:
        """What a customer does who pays, or does what the order's magic amount says."""
        order = self._sandbox.store.get("pesapal", "order", tracking_id)
        if order is None or order["state"] not in PAYABLE:
            return  # paid on its page, cancelled, or of before a reset
        plan = Plan.from_json(order["_plan"])
        if plan.fate is not None:
            self.fail(tracking_id, plan.fate)
            return
        is_mobile = Decimal(order["amount"]) == MOBILE_AMOUNT
        self.pay(tracking_id, METHODS["MpesaKE" if is_mobile else "Visa"])

    def pay(self, tracking_id: str, method: Method) -> Document:
        """The money moves. Raises Refused when the order is past paying."""
        plan = Plan.from_json(self.get(tracking_id)["_plan"])
        if plan.callback_reorder:
            self._change(tracking_id, lambda order: _fail(order, method, "declined"))
        order = self._change(tracking_id, lambda order: self._complete(order, method, plan))
        self._notifications.send(order, plan)
        if plan.callback_reorder:
            # The failed attempt's news, overtaken: an IPN says nothing but that something changed.
            self._notifications.send(order, plan, after_s=REORDER_STEP_S)
        return order

    def fail(self, tracking_id: str, fate: str) -> Document:
        """An attempt that is refused. Raises Refused when the order is past paying."""
        order = self._change(tracking_id, lambda order: _fail(order, METHODS["Visa"], fate))
        self._notifications.send(order, Plan.from_json(order["_plan"]))
        return order

    def _change(self, tracking_id: str, change: Callable[[Document], None]) -> Document:
        def apply(order: Document) -> Document:
            _require_payable(order)
            change(order)
            return dict(order)

        return self._sandbox.store.update("pesapal", "order", tracking_id, apply)

    def _complete(self, order: Document, method: Method, plan: Plan) -> None:
        code = _confirmation_code(method)
        amount = Decimal(order["amount"]) + (1 if plan.wrong_amount else 0)
        order.update(
            state="COMPLETED",
            amount=str(amount),
            payment_method=method.name,
            payment_account=method.account,
            confirmation_code=code,
            failure="",
            failure_code="",
        )
        self._sandbox.store.insert("pesapal", "confirmation", code, {"order": order["order_tracking_id"]})
        self._sandbox.book.record(
            "pesapal",
            "charge",
            reference=order["merchant_reference"],
            id=code,
            amount=amount,
            currency=order["currency"],
        )


def _fail(order: Document, method: Method, fate: str) -> None:
    code, text = FAILURES.get(fate, FAILURES["declined"])
    order.update(
        state="FAILED",
        payment_method=method.name,
        payment_account=method.account,
        confirmation_code=_confirmation_code(method),
        failure=text,
        failure_code=code,
    )


def _require_payable(order: Document) -> None:
    if order["state"] not in PAYABLE:
        raise Refused("order_not_payable", f"The order is {_described(order['state']).lower()}.")


def _described(state: str) -> str:
    return "INVALID" if state in ("PENDING", "INVALID") else state.capitalize()


def _confirmation_code(method: Method) -> str:
    if method.is_mobile:
        return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(10))
    return "".join(secrets.choice(string.digits) for _ in range(22))
