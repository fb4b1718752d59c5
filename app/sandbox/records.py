"""What the simulated providers really did: every movement of money, written at the moment it happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from app import clock
from app.sandbox.amounts import decimal_text
from app.sandbox.database import Database

Kind = Literal["charge", "refund", "refund_return", "payout"]
"""`refund_return`: the customer's bank returned a refund. It reduces the total of refunds."""


class ProviderRecords:
    """The movements of money at all providers, in major units of their currencies."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def add(
        self, provider: str, kind: Kind, *, reference: str, id: str, amount: Decimal, currency: str
    ) -> None:
        """Record a movement. reference: the merchant's, of the charge or payout; id: the provider's own."""
        if not amount.is_finite() or amount <= 0:
            raise ValueError(f"The amount of a movement is more than zero, not {amount}.")
        at = clock.iso_z(self._now())
        row = (provider, kind, reference, id, decimal_text(amount), currency.upper(), at)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO records (provider, kind, reference, id, amount, currency, at) VALUES (?,?,?,?,?,?,?)",
                row,
            )

    def read(self, provider: str, *, reference: str | None = None) -> dict[str, Any]:
        """`entries`, oldest first, and by currency the `totals`: charge, refund, payout and the rest (net)."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT kind, reference, id, amount, currency, at FROM records"
                " WHERE provider = ? AND (? IS NULL OR reference = ?) ORDER BY seq",
                (provider, reference, reference),
            ).fetchall()
        entries = [dict(row) for row in rows]
        return {"entries": entries, "totals": _totals(entries)}


def _totals(entries: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    totals: dict[str, dict[str, Decimal]] = {}
    for entry in entries:
        sums = totals.setdefault(entry["currency"], dict.fromkeys(("charge", "refund", "payout"), Decimal(0)))
        if entry["kind"] == "refund_return":
            sums["refund"] -= Decimal(entry["amount"])
        else:
            sums[entry["kind"]] += Decimal(entry["amount"])
    for sums in totals.values():
        sums["net"] = sums["charge"] - sums["refund"] - sums["payout"]
    return {
        currency: {name: decimal_text(amount) for name, amount in sums.items()}
        for currency, sums in totals.items()
    }
