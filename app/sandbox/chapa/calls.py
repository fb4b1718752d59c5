"""Chapa's API calls, and its conventions: a secret key, one envelope, bodies in JSON or as a form."""

from __future__ import annotations

from flask import request

from app.sandbox.calls import Api, Call, Subject
from app.sandbox.chapa import banks, errors
from app.sandbox.chapa.auth import check_key
from app.sandbox.chapa.simulator import Simulator
from app.sandbox.chapa.validation import Document, amount_of, request_body


def calls(simulator: Simulator) -> list[Call]:
    """(method, path, operation, function)"""
    payments, refunds, transfers = simulator.payments, simulator.refunds, simulator.transfers
    return [
        Call("POST", "/v1/transaction/initialize", "initialize", payments.initialize),
        Call("GET", "/v1/transaction/verify/<path:ref>", "verify", payments.verify),
        Call("PUT", "/v1/transaction/cancel/<path:ref>", "cancel", payments.cancel),
        Call("POST", "/v1/refund/<path:ref>", "refund", refunds.create),
        Call("GET", "/v1/refund/<path:ref>/verify", "refund_verify", refunds.verify),
        Call("POST", "/v1/transfers", "transfer", transfers.create),
        Call("GET", "/v1/transfers", "transfer_list", transfers.list_transfers),
        Call("GET", "/v1/transfers/verify/<path:ref>", "transfer_verify", transfers.verify),
        Call("POST", "/v1/bulk-transfers", "bulk_transfer", simulator.bulk_transfers.create),
        Call("GET", "/v1/banks", "bank_list", banks.list_banks),
        Call("GET", "/v1/currency_supported", "currency_list", banks.list_currencies),
        Call("GET", "/v1/balances", "balance", simulator.balances.list_balances),
    ]


class ChapaApi(Api):
    """Chapa's conventions."""

    provider = "chapa"

    def check_headers(self, operation: str) -> None:
        check_key(self._sandbox)

    def read_body(self, call: Call) -> Document:
        return request_body()

    def subject(self, operation: str) -> Subject:
        """Of a POST, the amount and reference in its body; otherwise the reference in the path."""
        if request.method != "POST":
            return Subject(reference=str((request.view_args or {}).get("ref", "")) or None)
        body = request_body()
        reference = body.get("tx_ref" if operation == "initialize" else "reference")
        return Subject(amount_of(body.get("amount")), str(reference or "") or None)

    def server_error(self, status: int) -> errors.ApiError:
        return errors.server_error(status)

    def rate_limited(self) -> errors.ApiError:
        return errors.rate_limited()

    def token_expired(self, operation: str) -> errors.ApiError:
        return errors.invalid_key()
