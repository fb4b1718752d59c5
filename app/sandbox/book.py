"""The books: what the simulated provider really did, written the moment money moves and never when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from app import clock
from app.sandbox.database import Database

Kind = Literal["charge", "refund", "refund_return", "payout"]
"""`refund_return`: a refund came back from the customer's bank. It lessens the total of refunds."""


class Book:
    """Entries of all providers, in major units of their currencies."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def record(
        self, provider: str, kind: Kind, *, reference: str, id: str, amount: Decimal, currency: str
    ) -> None:
        """Money moved. reference: the merchant's, of the charge or payout; id: the provider's own."""
        if not amount.is_finite() or amount <= 0:
            raise ValueError(f"Money that moves is more than zero, not {amount}.")
        row = (provider, kind, reference, id, written(amount), currency.upper(), clock.iso_z(self._now()))
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO book (provider, kind, reference, id, amount, currency, at) VALUES (?,?,?,?,?,?,?)",
                row,
            )

    def read(self, provider: str, *, reference: str | None = None) -> dict[str, Any]:
        """`entries`, oldest first, and `totals` by currency: charge, refund, payout and what is left (net)."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT kind, reference, id, amount, currency, at FROM book"
                " WHERE provider = ? AND (? IS NULL OR reference = ?) ORDER BY seq",
                (provider, reference, reference),
            ).fetchall()
        entries = [dict(row) for row in rows]
        return {"entries": entries, "totals": _totals(entries)}


def _totals(entries: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    sums: dict[str, dict[str, Decimal]] = {}
    for entry in entries:
        of = sums.setdefault(entry["currency"], dict.fromkeys(("charge", "refund", "payout"), Decimal(0)))
        if entry["kind"] == "refund_return":
            of["refund"] -= Decimal(entry["amount"])
        else:
            of[entry["kind"]] += Decimal(entry["amount"])
    for of in sums.values():
        of["net"] = of["charge"] - of["refund"] - of["payout"]
    return {currency: {name: written(amount) for name, amount in of.items()} for currency, of in sums.items()}


def written(amount: Decimal) -> str:
    """`amount` with at least two decimals, without an exponent: 100.00, 0.125."""
    exponent = amount.normalize().as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return f"{amount:.{places}f}"
