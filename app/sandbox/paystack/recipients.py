"""Paystack's transfer recipients: one for each account."""

from __future__ import annotations

from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.paystack import banks
from app.sandbox.paystack.errors import ApiError, not_found
from app.sandbox.paystack.replies import INTEGRATION, new_code, new_id, success, timestamp
from app.sandbox.store import Document

REQUIRED: Final = ("type", "name", "account_number", "bank_code")


class Recipients:
    """Recipients by code, and by account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store

    def create(self, request: ApiRequest) -> tuple[Document, int]:
        """`POST /transferrecipient`: the account's recipient, made if there is none."""
        body = request.body
        _check(body)
        bank = banks.find(body["type"], body["bank_code"], body.get("currency"))
        if bank is None:
            raise ApiError(400, "Cannot resolve bank code", code="invalid_bank_code")
        account_number = str(body["account_number"])
        if not banks.ACCOUNTS[bank.type].fullmatch(account_number):
            raise ApiError(400, "Account number is invalid", code="invalid_account_number")
        recipient = self._recipient(body, bank, account_number)
        return success("Transfer recipient created successfully", recipient), 201

    def get(self, request: ApiRequest, code: str) -> Document:
        """`GET /transferrecipient/{code}`."""
        recipient = self._store.get("paystack", "recipient", code)
        if recipient is None:
            raise not_found("Recipient")
        return success("Recipient retrieved", recipient)

    def _recipient(self, body: Document, bank: banks.Bank, account_number: str) -> Document:
        """The recipient of this account, stored now if there was none."""
        code = new_code("RCP_")
        key = f"{bank.type}:{bank.currency}:{bank.code}:{account_number}"
        now = timestamp(self._sandbox.now())
        recipient: Document = {
            "active": True,
            "createdAt": now,
            "currency": bank.currency,
            "description": body.get("description"),
            "domain": "test",
            "email": body.get("email"),
            "id": new_id(),
            "integration": INTEGRATION,
            "metadata": body.get("metadata"),
            "name": body["name"],
            "recipient_code": code,
            "type": bank.type,
            "updatedAt": now,
            "is_deleted": False,
            "details": {
                "authorization_code": None,
                "account_number": account_number,
                "account_name": None,
                "bank_code": bank.code,
                "bank_name": bank.name,
            },
        }
        with self._sandbox.database.transaction():
            if not self._store.insert("paystack", "recipient_of_account", key, {"code": code}):
                existing = self._store.get("paystack", "recipient_of_account", key) or {}
                return self._store.get("paystack", "recipient", existing["code"]) or recipient
            self._store.insert("paystack", "recipient", code, recipient)
        return recipient


def _check(body: Document) -> None:
    missing = [name for name in REQUIRED if body.get(name) in (None, "")]
    if missing:
        raise ApiError(400, f"{missing[0]} is required", code="missing_params")
    if body["type"] not in banks.TYPES:
        raise ApiError(400, "Invalid recipient type", code="invalid_params")
    if body["type"] == "authorization":
        raise ApiError(
            400, "Transfers to authorizations are not available to this merchant", code="invalid_params"
        )
