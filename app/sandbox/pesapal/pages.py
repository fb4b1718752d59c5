"""Pesapal's pages: the customer's payment page, and the merchant's dashboard with refunds to approve."""

from __future__ import annotations

from typing import Final

from flask import Response, request

from app.sandbox.core import Sandbox
from app.sandbox.http import Refusal, see_other, with_query
from app.sandbox.pages import Page, render
from app.sandbox.pesapal.errors import ApiError
from app.sandbox.pesapal.payments import METHODS, PAYABLE, Payments
from app.sandbox.pesapal.refunds import Refunds
from app.sandbox.pesapal.simulator import Simulator
from app.sandbox.store import Document

CARD_NUMBER: Final = "5200 0000 0000 0114"

ENDED: Final = {"COMPLETED": "Paid", "REVERSED": "Refunded"}
"""State of an order that can no longer be paid → the heading of its page."""


class PaymentPage:
    """The page of one order, where the customer pays, fails to pay or cancels."""

    def __init__(self, sandbox: Sandbox, payments: Payments) -> None:
        self._sandbox, self._payments = sandbox, payments

    def show(self, id: str) -> Response:
        """Show the page. The user who opened it decides, so the simulated customer does not act."""
        order = self._payments.get(id)
        self._sandbox.customers.cancel("pesapal", id)
        if order["state"] in PAYABLE:
            return render("pesapal/pay.html", order=order, methods=METHODS.values(), card=CARD_NUMBER)
        return _message(
            f"This order can no longer be paid: it is {order['state']}.",
            heading=ENDED.get(order["state"], "Not paid"),
            back=_return_url(order, order["callback_url"]),
        )

    def act(self, id: str) -> Response:
        """Do what the user chose, and redirect to the merchant."""
        action = request.form.get("action")
        self._payments.get(id)
        if action == "pay":
            method = METHODS.get(request.form.get("method", ""))
            if method is None:
                raise ApiError("invalid_method", "Choose one of the payment methods.")
            order = self._payments.pay(id, method)
        elif action == "fail":
            order = self._payments.fail(id, "declined")
        elif action == "cancel":
            order = self._payments.fail(id, "cancelled")
        else:
            raise ApiError("invalid_action", "Pay, let it fail, or cancel.")
        cancellation_url = order["cancellation_url"] if action == "cancel" else None
        return see_other(_return_url(order, cancellation_url or order["callback_url"]))


class RefundPages:
    """The dashboard, where the merchant approves or rejects refunds."""

    def __init__(self, refunds: Refunds) -> None:
        self._refunds = refunds

    def show(self) -> Response:
        """List the refunds that wait for a decision."""
        return render("pesapal/dashboard.html", refunds=self._refunds.waiting())

    def decide(self, id: str) -> Response:
        """Approve or reject a refund."""
        answer = request.form.get("answer")
        if answer not in ("approve", "reject"):
            raise ApiError("invalid_answer", "Approve or reject the refund.")
        self._refunds.decide(id, is_approved=answer == "approve")
        return self.show()


def pages(simulator: Simulator) -> list[Page]:
    """(method, path, name, function)"""
    payment_page = PaymentPage(simulator.sandbox, simulator.payments)
    refund_pages = RefundPages(simulator.refunds)
    return [
        Page("GET", "/iframe/<id>", "page", payment_page.show),
        Page("POST", "/iframe/<id>", "act", payment_page.act),
        Page("GET", "/dashboard", "dashboard", refund_pages.show),
        Page("POST", "/dashboard/<id>", "decide", refund_pages.decide),
    ]


def refused(refusal: Refusal) -> Response:
    """The page in place of an error."""
    return _message(str(refusal), status=404)


def _message(
    message: str, *, heading: str = "Pesapal", back: str | None = None, status: int = 200
) -> Response:
    values = {"heading": heading, "message": message, "back": back}
    return render("sandbox/message.html", status, title="Pesapal", back_to="merchant", **values)


def _return_url(order: Document, url: str) -> str:
    """The merchant's `url` with Pesapal's three parameters, which do not include the outcome."""
    parameters = {
        "OrderTrackingId": order["order_tracking_id"],
        "OrderMerchantReference": order["merchant_reference"],
        "OrderNotificationType": "CALLBACKURL",
    }
    return with_query(url, parameters)
