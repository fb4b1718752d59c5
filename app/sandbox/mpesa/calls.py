"""Daraja's API calls, and its conventions: bearer tokens, and errors that name the first wrong field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from app.sandbox.calls import Api, Call, Json, Subject
from app.sandbox.http import json_object
from app.sandbox.mpesa import errors
from app.sandbox.mpesa.auth import check_token
from app.sandbox.mpesa.errors import ApiError
from app.sandbox.mpesa.simulator import Simulator

FIRST_FIELDS: Final = {
    "stkpush": "BusinessShortCode",
    "stkquery": "BusinessShortCode",
    "b2c": "OriginatorConversationID",
    "b2c_v1": "InitiatorName",
    "b2b": "Initiator",
    "reversal": "Initiator",
    "status": "Initiator",
    "balance": "Initiator",
    "c2b_register": "ShortCode",
    "c2b": "ShortCode",
    "pull_register": "ShortCode",
    "pull": "ShortCode",
}
"""Operation → its first field, which Daraja reports as invalid when the content type is wrong."""

REFERENCES: Final = {
    "stkpush": ("AccountReference",),
    "stkquery": ("CheckoutRequestID",),
    "b2c": ("OriginatorConversationID",),
    "b2b": ("AccountReference",),
    "reversal": ("TransactionID",),
    "status": ("TransactionID", "OriginalConversationID"),
    "c2b": ("BillRefNumber",),
}
"""Operation → the fields that fault rules match as its reference."""


def calls(simulator: Simulator) -> list[Call]:
    """(method, path, operation, function)"""
    express, c2b, pull = simulator.express, simulator.c2b, simulator.pull
    payouts, queries = simulator.payouts, simulator.queries
    return [
        Call("GET", "/oauth/v1/generate", "token", simulator.tokens.create),
        Call("POST", "/mpesa/stkpush/v1/processrequest", "stkpush", express.push),
        Call("POST", "/mpesa/stkpushquery/v1/query", "stkquery", express.query),
        Call("POST", "/mpesa/b2c/v3/paymentrequest", "b2c", payouts.b2c),
        Call("POST", "/mpesa/b2c/v1/paymentrequest", "b2c", payouts.b2c_v1),
        Call("POST", "/mpesa/b2b/v1/paymentrequest", "b2b", payouts.b2b),
        Call("POST", "/mpesa/reversal/v1/request", "reversal", simulator.refunds.create),
        Call("POST", "/mpesa/transactionstatus/v1/query", "status", queries.status),
        Call("POST", "/mpesa/accountbalance/v1/query", "balance", queries.balance),
        Call("POST", "/mpesa/c2b/v1/registerurl", "c2b_register", c2b.register),
        Call("POST", "/mpesa/c2b/v2/registerurl", "c2b_register", c2b.register),
        Call("POST", "/mpesa/c2b/v1/simulate", "c2b", c2b.simulate),
        Call("POST", "/mpesa/c2b/v2/simulate", "c2b", c2b.simulate),
        Call("POST", "/pulltransactions/v1/register", "pull_register", pull.register),
        Call("GET", "/pulltransactions/v1/query", "pull", pull.query),
        Call("POST", "/pulltransactions/v1/query", "pull", pull.query),
    ]


class DarajaApi(Api):
    """Daraja's conventions."""

    provider = "mpesa"

    def check_headers(self, operation: str) -> None:
        if operation != "token":
            check_token(self._sandbox)

    def read_body(self, call: Call) -> dict[str, Any]:
        """The JSON object. With another content type, Daraja reports the first field as invalid."""
        if call.operation == "token":
            return {}
        is_empty_pull = call.operation == "pull" and not request.data
        if request.mimetype != "application/json" or is_empty_pull:
            name = "b2c_v1" if "/b2c/v1/" in call.path else call.operation
            raise errors.invalid(FIRST_FIELDS[name])
        body = json_object()
        if body is None:
            raise ApiError(400, "400.002.05", "Invalid Request Payload")
        return body

    def subject(self, operation: str) -> Subject:
        body = json_object() or {}
        amount = str(body.get("Amount", ""))
        is_amount = re.fullmatch(r"\d{1,12}", amount, re.ASCII) is not None
        names = REFERENCES.get(operation, ())
        reference = next((str(body[name]) for name in names if body.get(name)), None)
        return Subject(Decimal(amount) if is_amount else None, reference)

    def server_error(self, status: int) -> ApiError:
        return errors.server_error(status)

    def rate_limited(self) -> ApiError:
        return errors.rate_limited()

    def token_expired(self, operation: str) -> ApiError:
        return errors.wrong_credentials() if operation == "token" else errors.invalid_token()

    def respond(self, body: Json, status: int) -> Response:
        response = jsonify(body)
        response.status_code = status
        return response


def add_fallback(blueprint: Blueprint, table: Sequence[Call]) -> None:
    """Answer all other requests as Daraja does: an existing path has HTTP 405 for every method but POST."""
    posts, gets = ({call.path for call in table if call.method == method} for method in ("POST", "GET"))

    def fallback(path: str) -> Response:
        if f"/{path}" in posts - gets and request.method != "POST":
            return ApiError(405, "405.001", "Method Not Allowed").answer()
        return ApiError(404, "404.001.01", "Resource not found").answer()

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    blueprint.add_url_rule("/<path:path>", "fallback", fallback, methods=methods)
