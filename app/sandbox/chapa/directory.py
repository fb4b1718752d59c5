"""Chapa's lists – banks, balances, currencies – and transfers by the hundred."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, Response

from app.sandbox.chapa import answers, banks
from app.sandbox.chapa.transfers import OPENING, REFERENCE_USED, Transfers, available
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan

MAX_IN_BULK: Final = 100
BULK_EVERY: Final = timedelta(seconds=5)

CURRENCIES: Final = (
    {"id": 1, "name": "Ethiopian Birr", "code": "ETB"},
    {"id": 2, "name": "US Dollar", "code": "USD"},
)


class Directory:
    """What can be read without naming a payment."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def add_to(self, blueprint: Blueprint) -> None:
        balances = answers.steered_by_path(self._sandbox, "balance")(self.balances)
        blueprint.add_url_rule("/v1/banks", "banks", view_func=self.banks)
        blueprint.add_url_rule("/v1/balances", "balances", view_func=balances)
        blueprint.add_url_rule("/v1/currency_supported", "currency_supported", view_func=self.currencies)

    def banks(self) -> Response:
        return answers.success("Banks retrieved", [bank.as_listed() for bank in banks.BANKS.values()])

    def balances(self) -> Response:
        return answers.success("Balances retrieved", [self._balance(currency) for currency in OPENING])

    def currencies(self) -> Response:
        return answers.success("Supported currencies", list(CURRENCIES))

    def _balance(self, currency: str) -> dict[str, Any]:
        amount = answers.number(available(self._sandbox, currency))
        return {"currency": currency, "available_balance": amount, "ledger_balance": amount}


class BulkTransfers:
    """A hundred transfers in a call, a call every five seconds. Each is then a transfer like any other."""

    def __init__(self, sandbox: Sandbox, transfers: Transfers) -> None:
        self._sandbox = sandbox
        self._transfers = transfers
        self._lock = threading.Lock()
        self._not_before = sandbox.now()

    def add_to(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/v1/bulk-transfers", "bulk_transfers", view_func=self.bulk, methods=["POST"])

    def bulk(self) -> Response:
        sent = answers.body()
        if (refusal := self._refusal_of(sent)) is not None:
            return refusal
        if not self._is_time():
            return answers.too_many()
        batch_id = str(uuid.uuid4())
        moment = answers.stamp(self._sandbox.now())
        for each in sent["bulk_data"]:
            self._transfers.queue(each, Plan(), batch_id=batch_id)
        return answers.success("Bulk transfer queued successfully", {"id": batch_id, "created_at": moment})

    def _refusal_of(self, sent: dict[str, Any]) -> Response | None:
        """All or nothing: one bad entry refuses the batch."""
        entries = sent.get("bulk_data")
        if (
            not isinstance(entries, list)
            or not entries
            or not all(isinstance(each, dict) for each in entries)
        ):
            return answers.failed(400, {"bulk_data": ["validation.required"]})
        if len(entries) > MAX_IN_BULK:
            return answers.failed(400, {"bulk_data": ["validation.max.array"]})
        if sent.get("currency", "ETB") != "ETB":
            return answers.failed(400, "Invalid currency. Transfers are in ETB.")
        references = [str(each["reference"]) for each in entries if each.get("reference")]
        known = any(self._sandbox.store.get("chapa", "transfer", each) for each in references)
        if known or len(set(references)) < len(references):
            return answers.failed(400, REFERENCE_USED)
        refusals = (self._transfers.refusal_of(each) for each in entries)
        return next((refusal for refusal in refusals if refusal is not None), None)

    def _is_time(self) -> bool:
        with self._lock:
            now = self._sandbox.now()
            if now < self._not_before:
                return False
            self._not_before = now + BULK_EVERY
            return True
