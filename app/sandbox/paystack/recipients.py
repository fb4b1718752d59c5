"""Paystack's transfer recipients: the same account is the same recipient."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response

from app.sandbox.core import Sandbox
from app.sandbox.paystack import answers, banks

REQUIRED: Final = ("type", "name", "account_number", "bank_code")

Document = dict[str, Any]


class Recipients:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._store = sandbox.store

    def add_to(self, blueprint: Blueprint) -> None:
        create = answers.steered(self._sandbox, "recipient", has_magic=False)(self.create)
        blueprint.add_url_rule("/transferrecipient", "recipient", view_func=create, methods=["POST"])
        blueprint.add_url_rule("/transferrecipient/<code>", "recipient_get", view_func=self.get)

    def create(self) -> Response:
        sent = answers.body()
        if (refusal := _refusal_of(sent)) is not None:
            return refusal
        bank = banks.find(sent["type"], sent["bank_code"], sent.get("currency"))
        if bank is None:
            return answers.refused(400, "Cannot resolve bank code", code="invalid_bank_code")
        account = str(sent["account_number"])
        if not banks.ACCOUNTS[bank.type].fullmatch(account):
            return answers.refused(400, "Account number is invalid", code="invalid_account_number")
        recipient = self._recipient(sent, bank, account)
        return answers.ok("Transfer recipient created successfully", recipient, http=201)

    def get(self, code: str) -> Response:
        recipient = self._store.get("paystack", "recipient", code)
        if recipient is None:
            return answers.not_found("Recipient")
        return answers.ok("Recipient retrieved", recipient)

    def _recipient(self, sent: Document, bank: banks.Bank, account: str) -> Document:
        """The one of this account, made now if there was none."""
        code = answers.new_code("RCP_")
        key = f"{bank.type}:{bank.currency}:{bank.code}:{account}"
        moment = answers.stamp(self._sandbox.now())
        recipient: Document = {
            "active": True,
            "createdAt": moment,
            "currency": bank.currency,
            "description": sent.get("description"),
            "domain": "test",
            "email": sent.get("email"),
            "id": answers.new_id(),
            "integration": answers.INTEGRATION,
            "metadata": sent.get("metadata"),
            "name": sent["name"],
            "recipient_code": code,
            "type": bank.type,
            "updatedAt": moment,
            "is_deleted": False,
            "details": {
                "authorization_code": None,
                "account_number": account,
                "account_name": None,
                "bank_code": bank.code,
                "bank_name": bank.name,
            },
        }
        with self._sandbox.database.transaction():
            if not self._store.insert("paystack", "recipient_of_account", key, {"code": code}):
                known = self._store.get("paystack", "recipient_of_account", key) or {}
                return self._store.get("paystack", "recipient", known["code"]) or recipient
            self._store.insert("paystack", "recipient", code, recipient)
        return recipient


def _refusal_of(sent: Document) -> Response | None:
    missing = [name for name in REQUIRED if sent.get(name) in (None, "")]
    if missing:
        return answers.refused(400, f"{missing[0]} is required", code="missing_params")
    if sent["type"] not in banks.TYPES:
        return answers.refused(400, "Invalid recipient type", code="invalid_params")
    if sent["type"] == "authorization":
        return answers.refused(
            400, "Transfers to authorizations are not available to this merchant", code="invalid_params"
        )
    return None
