"""Pesapal's API: which call does what, and what surrounds every call (tokens, faults, the error object)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, g, request

from app import json_numbers
from app.sandbox.faults import Plan, faulty
from app.sandbox.pesapal.answers import Document, Refused, answer, refusal, unauthorised
from app.sandbox.pesapal.desk import Desk
from app.sandbox.pesapal.orders import amount_of

Act = Callable[[Document], Document | list[Document]]


def add_routes(blueprint: Blueprint, desk: Desk) -> None:
    """Everything under `/api`. The names of the views are the operations that rules of /sandbox/control name."""
    calls: list[tuple[str, str, str, Act]] = [
        ("POST", "/Auth/RequestToken", "token", desk.tokens.give),
        ("POST", "/URLSetup/RegisterIPN", "ipn", desk.notifications.register),
        ("GET", "/URLSetup/GetIpnList", "ipn_list", lambda body: desk.notifications.listed()),
        ("POST", "/Transactions/SubmitOrderRequest", "order", lambda body: desk.submit(body, _plan())),
        (
            "GET", "/Transactions/GetTransactionStatus", "status",
            lambda body: desk.payments.status(request.args.get("orderTrackingId")),
        ),
        ("POST", "/Transactions/CancelOrder", "cancel", desk.payments.cancel),
        ("POST", "/Transactions/RefundRequest", "refund", desk.refunds.request),
    ]  # fmt: skip
    for method, rule, operation, act in calls:
        blueprint.add_url_rule(f"/api{rule}", operation, _view(desk, operation, act), methods=[method])


def _view(desk: Desk, operation: str, act: Act) -> Callable[[], Response]:
    def do() -> Response:
        try:
            if operation != "token":
                desk.tokens.require()
            return answer(act(_body()))
        except Refused as error:
            return refusal(error)

    suffer = faulty(
        desk.sandbox, "pesapal", operation, _known,
        error=lambda status: refusal(
            Refused("internal_server_error", "An error occurred on our side.", status=str(status), http=status)
        ),
        limited=lambda: refusal(Refused("too_many_requests", "Too many requests.", status="429", http=429)),
        expired=lambda: refusal(unauthorised()),
    )  # fmt: skip
    return suffer(do)


def _plan() -> Plan:
    plan: Plan = g.get("plan", Plan())
    return plan


def _body() -> Document:
    """The JSON object of a POST. Raises Refused."""
    if request.method == "GET":
        return {}
    parsed = _parsed()
    if parsed is None:
        raise Refused("invalid_request", "Send a JSON object with Content-Type application/json.")
    return parsed


def _parsed() -> Document | None:
    if request.mimetype != "application/json":
        return None
    try:
        parsed: Any = json_numbers.loads(request.get_data())
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _known() -> tuple[Decimal | None, str | None]:
    """Amount and merchant's reference of an order about to be made; None for what is absent or wrong."""
    body = _parsed() or {}
    reference = body.get("id")
    try:
        amount = amount_of(body)
    except Refused:
        amount = None  # the call itself says what is wrong
    return amount, reference if isinstance(reference, str) else None
