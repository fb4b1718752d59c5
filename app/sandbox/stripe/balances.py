"""What the merchant has at Stripe."""

from __future__ import annotations

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.store import Document


class Balances:
    """The charges, less refunds and what disputes have withdrawn, with Stripe's fee. The simulator makes no payouts."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def get(self, request: ApiRequest) -> Document:
        """`GET /v1/balance`."""
        totals: dict[str, int] = {}
        for charge in self._sandbox.store.find("stripe", "charge", status="succeeded"):
            left = charge["amount_captured"] - charge["amount_refunded"]
            totals[charge["currency"]] = totals.get(charge["currency"], 0) + left
        for dispute in self._sandbox.store.find("stripe", "dispute"):
            moved = sum(one["net"] for one in dispute["balance_transactions"])
            totals[dispute["currency"]] = totals.get(dispute["currency"], 0) + moved
        available = [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in sorted(totals.items())
        ]
        return {"object": "balance", "available": available, "livemode": False, "pending": []}
