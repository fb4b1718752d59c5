"""Paystack's API calls, and its conventions: a secret key, one envelope, amounts in subunits."""

from __future__ import annotations

from typing import Any

from flask import request

from app.sandbox.calls import Api, Call, Subject
from app.sandbox.http import json_object
from app.sandbox.paystack import banks, errors
from app.sandbox.paystack.auth import check_key
from app.sandbox.paystack.replies import major, subunits
from app.sandbox.paystack.simulator import Simulator


def calls(simulator: Simulator) -> list[Call]:
    """(method, path, operation, function)"""
    transactions, refunds = simulator.transactions, simulator.refunds
    recipients, transfers = simulator.recipients, simulator.transfers
    retry = "/refund/retry_with_customer_details/<int:id>"
    return [
        Call("POST", "/transaction/initialize", "initialize", transactions.initialize),
        Call("GET", "/transaction/verify/<path:ref>", "verify", transactions.verify),
        Call("POST", "/transaction/charge_authorization", "initialize", transactions.charge_authorization),
        Call("GET", "/transaction/<int:id>", "transaction_get", transactions.get),
        Call("GET", "/transaction", "transaction_list", transactions.list_transactions),
        Call("POST", "/refund", "refund", refunds.create),
        Call("GET", "/refund", "refund_list", refunds.list_refunds),
        Call("GET", "/refund/<int:id>", "refund_get", refunds.get),
        Call("POST", retry, "refund_retry", refunds.retry),
        Call("POST", "/transferrecipient", "recipient", recipients.create),
        Call("GET", "/transferrecipient/<code>", "recipient_get", recipients.get),
        Call("POST", "/transfer", "transfer", transfers.create),
        Call("GET", "/transfer", "transfer_list", transfers.list_transfers),
        Call("POST", "/transfer/finalize_transfer", "transfer_finalize", transfers.finalize),
        Call("POST", "/transfer/bulk", "transfer_bulk", transfers.create_bulk),
        Call("GET", "/transfer/verify/<path:ref>", "transfer_verify", transfers.verify),
        Call("GET", "/transfer/<code>", "transfer_get", transfers.get),
        Call("GET", "/bank", "bank_list", banks.list_banks),
        Call("GET", "/bank/resolve", "resolve", banks.resolve),
        Call("GET", "/balance", "balance", simulator.balances.list_balances),
    ]


class PaystackApi(Api):
    """Paystack's conventions."""

    provider = "paystack"

    def check_headers(self, operation: str) -> None:
        check_key(self._sandbox)

    def read_body(self, call: Call) -> dict[str, Any]:
        """The JSON object. Empty for anything else, so that every field is missing."""
        return json_object() or {}

    def subject(self, operation: str) -> Subject:
        """The amount in the body, and the reference in the body or the path."""
        body = json_object() or {}
        amount = subunits(body.get("amount"))
        reference = body.get("reference") or (request.view_args or {}).get("ref")
        return Subject(None if amount is None else major(amount), str(reference) if reference else None)

    def server_error(self, status: int) -> errors.ApiError:
        return errors.server_error(status)

    def rate_limited(self) -> errors.ApiError:
        return errors.rate_limited()

    def token_expired(self, operation: str) -> errors.ApiError:
        return errors.invalid_key()
