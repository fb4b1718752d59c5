"""What people see of Pesapal: the customer's payment page, and the merchant's dashboard with refunds to approve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Response, make_response, redirect, render_template, request

from app.sandbox.pesapal.answers import Document, Refused
from app.sandbox.pesapal.desk import Desk
from app.sandbox.pesapal.notifications import with_query
from app.sandbox.pesapal.payments import METHODS, PAYABLE

CARD: str = "5200 0000 0000 0114"

ENDED: Final = {"COMPLETED": "Paid", "REVERSED": "Paid back"}
"""What the page of an order in this state is headed with."""


def add_routes(blueprint: Blueprint, desk: Desk) -> None:
    """Pages outside `/api`."""
    blueprint.add_url_rule("/iframe/<id>", "page", _guarded(lambda id: _page(desk, id)))
    blueprint.add_url_rule("/iframe/<id>", "act", _guarded(lambda id: _act(desk, id)), methods=["POST"])
    blueprint.add_url_rule("/dashboard", "dashboard", lambda: _dashboard(desk))
    blueprint.add_url_rule(
        "/dashboard/<id>", "decide", _guarded(lambda id: _decide(desk, id)), methods=["POST"]
    )


def _guarded(show: Callable[[str], Response]) -> Callable[[str], Response]:
    def view(id: str) -> Response:
        try:
            return show(id)
        except Refused as error:
            return _rendered("refused.html", 404, message=error.message)

    return view


def _rendered(name: str, status: int = 200, **values: Any) -> Response:
    return make_response(render_template(f"sandbox/pesapal/{name}", **values), status)


def _page(desk: Desk, id: str) -> Response:
    order = desk.payments.get(id)
    desk.sandbox.customers.import_external_refunds("pesapal", id)
    if order["state"] not in PAYABLE:
        return _rendered(
            "refused.html",
            heading=ENDED.get(order["state"], "Not paid"),
            message=f"This order can no longer be paid: it is {order['state']}.",
            back=_way_back(order),
        )
    return _rendered("pay.html", order=order, methods=METHODS.values(), card=CARD)


def _act(desk: Desk, id: str) -> Response:
    action = request.form.get("action")
    desk.payments.get(id)
    if action == "pay":
        method = METHODS.get(request.form.get("method", ""))
        if method is None:
            raise Refused("invalid_method", "Choose one of the payment methods.")
        return _back(desk.payments.pay(id, method))
    if action == "fail":
        return _back(desk.payments.fail(id, "declined"))
    if action != "cancel":
        raise Refused("invalid_action", "Pay, let it fail, or cancel.")
    order = desk.payments.fail(id, "cancelled")
    return _back(order, to=order["cancellation_url"])


def _back(order: Document, *, to: str | None = None) -> Response:
    """The browser goes back to the merchant, with the three parameters and no word of the outcome."""
    response = redirect(_way_back(order, to=to), 303)
    assert isinstance(response, Response)
    return response


def _way_back(order: Document, *, to: str | None = None) -> str:
    names = {
        "OrderTrackingId": order["order_tracking_id"],
        "OrderMerchantReference": order["merchant_reference"],
        "OrderNotificationType": "CALLBACKURL",
    }
    return with_query(to or order["callback_url"], names)


def _dashboard(desk: Desk) -> Response:
    return _rendered("dashboard.html", refunds=desk.refunds.waiting())


def _decide(desk: Desk, id: str) -> Response:
    answer = request.form.get("answer")
    if answer not in ("approve", "reject"):
        raise Refused("invalid_answer", "Approve or reject the refund.")
    desk.refunds.decide(id, is_approved=answer == "approve")
    return _dashboard(desk)
