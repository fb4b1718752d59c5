"""What the merchant has at Paystack."""

from __future__ import annotations

from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.paystack.replies import success

CURRENCIES: Final = ("NGN", "GHS", "ZAR", "KES", "USD", "XOF", "EGP", "RWF")
OPENING_BALANCE: Final = 100_000_000_00
"""In subunits of each currency."""


class Balances:
    """The opening balance, plus payments less Paystack's fees, less refunds and transfers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def list_balances(self, request: ApiRequest) -> dict[str, Any]:
        """`GET /balance`."""
        entries = [{"currency": currency, "balance": self.available(currency)} for currency in CURRENCIES]
        return success("Balances retrieved", entries)

    def available(self, currency: str) -> int:
        """Subunits the merchant may spend."""
        store = self._sandbox.store
        balance = OPENING_BALANCE
        for transaction in store.find("paystack", "transaction", currency=currency):
            if transaction["status"] in ("success", "reversed"):
                balance += transaction["charged_subunits"] - transaction["fees"] - transaction["refunded"]
        for transfer in store.find("paystack", "transfer", currency=currency):
            balance -= transfer["subunits"] if transfer["status"] in ("pending", "otp", "success") else 0
        return balance
