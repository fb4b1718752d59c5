"""What the merchant has at Chapa."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from app.sandbox.amounts import json_number
from app.sandbox.calls import ApiRequest
from app.sandbox.chapa.replies import success
from app.sandbox.core import Sandbox

OPENING_BALANCES: Final = {"ETB": Decimal("1000000.00"), "USD": Decimal("50000.00")}


class Balances:
    """The opening balance, plus payments less Chapa's charges, less refunds and transfers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def list_balances(self, request: ApiRequest) -> dict[str, Any]:
        """`GET /v1/balances`."""
        return success("Balances retrieved", [self._entry(currency) for currency in OPENING_BALANCES])

    def _entry(self, currency: str) -> dict[str, Any]:
        amount = json_number(self.available(currency))
        return {"currency": currency, "available_balance": amount, "ledger_balance": amount}

    def available(self, currency: str) -> Decimal:
        """What the merchant may spend."""
        store = self._sandbox.store
        balance = OPENING_BALANCES[currency]
        for payment in store.find("chapa", "payment", status="success", currency=currency):
            balance += Decimal(payment["amount"]) - Decimal(payment["charge"])
            balance -= Decimal(payment["refund_reserved"])
        for transfer in store.find("chapa", "transfer", currency=currency):
            balance -= Decimal(transfer["amount"]) if transfer["status"] != "failed" else 0
        return balance
