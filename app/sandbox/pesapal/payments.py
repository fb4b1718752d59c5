"""How an order ends: attempts to pay it, its status, its cancellation.

A failed attempt is not final: the customer can try again on the page, so status 2 (FAILED) can become 1 (COMPLETED).
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.sandbox.amounts import json_number
from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.pesapal.callbacks import Callbacks
from app.sandbox.pesapal.errors import ApiError, error_object
from app.sandbox.store import Document

STATUS_CODES: Final = {"PENDING": 0, "INVALID": 0, "COMPLETED": 1, "FAILED": 2, "REVERSED": 3}
NO_ERROR: Final = {"error_type": None, "code": None, "message": None, "call_back_url": None}
"""The error object of a success: all members are null."""

PAYABLE: Final = ("PENDING", "FAILED")
"""States in which an order can be paid. A cancelled order is INVALID."""

REORDER_STEP_S: Final = 1.0
NEVER_ANSWERS: Final = "timed_out"


@dataclass(frozen=True, slots=True)
class Method:
    """A payment method. account: the payer's account as the status shows it."""

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
    # planned outcome → (payment_status_code, description)
    "insufficient_funds": ("insufficient_funds", "The balance is insufficient for the transaction."),
    "cancelled": ("request_terminated_by_user", "The customer cancelled the payment."),
    "declined": ("card_declined", "The payment was declined by the bank."),
    "wrong_pin": ("wrong_pin", "The initiator information is invalid: wrong PIN."),
}

MOBILE_AMOUNT: Final = Decimal(7130)
"""The amount of an order that the simulated customer pays by M-Pesa. Other orders are paid by card."""


class Payments:
    """The payment of orders."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks) -> None:
        self._sandbox, self._callbacks = sandbox, callbacks

    def get(self, tracking_id: object) -> Document:
        """The order. Raises ApiError."""
        found = None
        if isinstance(tracking_id, str):
            found = self._sandbox.store.get("pesapal", "order", tracking_id)
        if found is None:
            raise ApiError("invalid_order_tracking_id", "There is no order with this tracking id.")
        return found

    def status(self, request: ApiRequest) -> Document:
        """`GET /api/Transactions/GetTransactionStatus`. Before the first attempt, the error `Pending Payment`."""
        order = self.get(request.query.get("orderTrackingId"))
        is_pending = order["state"] == "PENDING"
        message = "Pending Payment" if is_pending else "Request processed successfully"
        error = error_object("payment_details_not_found", message) | {"call_back_url": None}
        return {
            "payment_method": order["payment_method"],
            "amount": json_number(Decimal(order["amount"])),
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

    def cancel(self, request: ApiRequest) -> Document:
        """`POST /api/Transactions/CancelOrder`: a pending or failed order, once."""
        tracking_id = request.body.get("order_tracking_id")
        self.get(tracking_id)
        assert isinstance(tracking_id, str)

        def change(order: Document) -> None:
            _require_payable(order)
            order.update(state="INVALID", failure="The merchant cancelled the order.")

        self._sandbox.store.update("pesapal", "order", tracking_id, change)
        self._sandbox.customers.cancel("pesapal", tracking_id)
        return {"status": "200", "message": "Order successfully cancelled."}

    # --- the customer

    def begin(self, order: Document) -> None:
        """Let the simulated customer act on a new order: later, at once or never."""
        tracking_id, plan = order["order_tracking_id"], Plan.from_json(order["_plan"])
        if plan.callback_early:
            self.act_as_customer(tracking_id)
        elif plan.outcome != NEVER_ANSWERS:
            self._sandbox.customers.schedule("pesapal", tracking_id)

    def act_as_customer(self, tracking_id: str) -> None:
        """What the simulated customer does: pays, unless the order has another outcome."""
        order = self._sandbox.store.get("pesapal", "order", tracking_id)
        if order is None or order["state"] not in PAYABLE:
            return  # paid on its page, cancelled, or from before a reset
        plan = Plan.from_json(order["_plan"])
        if plan.outcome is not None:
            self.fail(tracking_id, plan.outcome)
            return
        is_mobile = Decimal(order["amount"]) == MOBILE_AMOUNT
        self.pay(tracking_id, METHODS["MpesaKE" if is_mobile else "Visa"])

    def pay(self, tracking_id: str, method: Method) -> Document:
        """The customer pays. Raises ApiError when the order can no longer be paid."""
        plan = Plan.from_json(self.get(tracking_id)["_plan"])
        if plan.callback_reorder:
            self._change(tracking_id, lambda order: _fail(order, method, "declined"))
        order = self._change(tracking_id, lambda order: self._complete(order, method, plan))
        self._callbacks.send(order, plan)
        if plan.callback_reorder:
            # The IPN of the failed attempt, which arrives late. IPNs do not say what changed.
            self._callbacks.send(order, plan, after_s=REORDER_STEP_S)
        return order

    def fail(self, tracking_id: str, outcome: str) -> Document:
        """An attempt fails. Raises ApiError when the order can no longer be paid."""
        order = self._change(tracking_id, lambda order: _fail(order, METHODS["Visa"], outcome))
        self._callbacks.send(order, Plan.from_json(order["_plan"]))
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
        self._sandbox.records.add(
            "pesapal",
            "charge",
            reference=order["merchant_reference"],
            id=code,
            amount=amount,
            currency=order["currency"],
        )


def _fail(order: Document, method: Method, outcome: str) -> None:
    code, text = FAILURES.get(outcome, FAILURES["declined"])
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
        raise ApiError("order_not_payable", f"The order is {_described(order['state']).lower()}.")


def _described(state: str) -> str:
    return "INVALID" if state in ("PENDING", "INVALID") else state.capitalize()


def _confirmation_code(method: Method) -> str:
    if method.is_mobile:
        return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(10))
    return "".join(secrets.choice(string.digits) for _ in range(22))
