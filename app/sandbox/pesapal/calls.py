"""Pesapal's API calls, and its conventions: bearer tokens, JSON bodies, errors in answers with HTTP 200."""

from __future__ import annotations

from typing import Any

from flask import request

from app import json_numbers
from app.sandbox.calls import Api, Call, Subject
from app.sandbox.core import Sandbox
from app.sandbox.pesapal import errors
from app.sandbox.pesapal.auth import Tokens
from app.sandbox.pesapal.errors import ApiError
from app.sandbox.pesapal.orders import amount_of
from app.sandbox.pesapal.simulator import Simulator
from app.sandbox.store import Document


def calls(simulator: Simulator) -> list[Call]:
    """(method, path, operation, function)"""
    callbacks, payments = simulator.callbacks, simulator.payments
    return [
        Call("POST", "/api/Auth/RequestToken", "token", simulator.tokens.create),
        Call("POST", "/api/URLSetup/RegisterIPN", "ipn", callbacks.register),
        Call("GET", "/api/URLSetup/GetIpnList", "ipn_list", callbacks.list_registered),
        Call("POST", "/api/Transactions/SubmitOrderRequest", "order", simulator.orders.submit),
        Call("GET", "/api/Transactions/GetTransactionStatus", "status", payments.status),
        Call("POST", "/api/Transactions/CancelOrder", "cancel", payments.cancel),
        Call("POST", "/api/Transactions/RefundRequest", "refund", simulator.refunds.create),
    ]


class PesapalApi(Api):
    """Pesapal's conventions."""

    provider = "pesapal"

    def __init__(self, sandbox: Sandbox, tokens: Tokens) -> None:
        super().__init__(sandbox)
        self._tokens = tokens

    def check_headers(self, operation: str) -> None:
        if operation != "token":
            self._tokens.check()

    def read_body(self, call: Call) -> Document:
        """The JSON object of a POST."""
        if request.method == "GET":
            return {}
        body = _parsed()
        if body is None:
            raise ApiError("invalid_request", "Send a JSON object with Content-Type application/json.")
        return body

    def subject(self, operation: str) -> Subject:
        """The amount and the merchant's reference of an order."""
        body = _parsed() or {}
        reference = body.get("id")
        try:
            amount = amount_of(body)
        except ApiError:
            amount = None  # the call's function reports the error
        return Subject(amount, reference if isinstance(reference, str) else None)

    def server_error(self, status: int) -> ApiError:
        return errors.server_error(status)

    def rate_limited(self) -> ApiError:
        return errors.rate_limited()

    def token_expired(self, operation: str) -> ApiError:
        return errors.invalid_token()


def _parsed() -> Document | None:
    """The JSON object in the body, with decimals for numbers; None when it is anything else."""
    if request.mimetype != "application/json":
        return None
    try:
        parsed: Any = json_numbers.loads(request.get_data())
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
