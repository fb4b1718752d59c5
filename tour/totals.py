"""Two sets of books at one moment: the simulators' own, and the gateway's as its operators see it.

The ledger's check, which reconciliation runs, proves that clearing accounts equal what payments and refunds say. So when
those move exactly as the simulators' books did, clearing did, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tour.client import GatewayClient
from tour.users import PASSWORD

OPERATOR: Final = "operator@example.com"
DAYS: Final = 366
IN_PROCESS: Final = frozenset({"cpay"})
"""Providers without a simulator."""


@dataclass(frozen=True, slots=True)
class ProviderTotals:
    """What one provider did in one currency, in major units."""

    charged: Decimal
    refunded: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """simulators: provider → currency → totals. amounts: currency → what the gateway collected and gave back."""

    simulators: Mapping[str, Mapping[str, Any]]
    amounts: Mapping[str, Mapping[str, str]]
    findings: tuple[str, ...]
    reviews: int

    @classmethod
    def read(cls, client: GatewayClient, providers: Iterable[str]) -> Totals:
        """Both sets now. Raises Difference."""
        login = {"email": OPERATOR, "password": PASSWORD}
        token = client.fetch("POST", "/auth/login", json=login)["access_token"]
        report = client.fetch("POST", "/admin/reconcile", token=token, json={})["data"]
        figures = client.fetch("GET", "/admin/statistics", token=token, params={"days": DAYS})["data"]
        simulators = {
            name: client.simulators(f"/book/{name}")["totals"] for name in providers if name not in IN_PROCESS
        }
        return cls(simulators, figures["amounts"], tuple(report["ledger_findings"]), len(report["in_review"]))

    def moved(self, before: Totals, provider: str, currency: str) -> ProviderTotals:
        """What the provider's own book has more than before."""
        now, then = (books.simulators[provider].get(currency, {}) for books in (self, before))
        return ProviderTotals(
            *(Decimal(now.get(kind, "0")) - Decimal(then.get(kind, "0")) for kind in ("charge", "refund"))
        )

    def booked(self, before: Totals, currency: str) -> tuple[Decimal, Decimal]:
        """What the gateway has collected and given back more than before."""
        now, then = (books.amounts.get(currency, {}) for books in (self, before))
        collected, refunded = (
            Decimal(now.get(name, "0")) - Decimal(then.get(name, "0")) for name in ("collected", "refunded")
        )
        return collected, refunded
