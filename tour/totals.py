"""Totals at one moment: those of the simulators' books, and those of the gateway as its operators see them.

The ledger's check, which reconciliation runs, proves that clearing accounts equal the payments, refunds and payouts. So when those
changed exactly as the simulators' books did, the clearing accounts did, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tour.client import GatewayClient
from tour.users import access_token

OPERATOR: Final = "operator@example.com"
DAYS: Final = 366
IN_PROCESS: Final = frozenset({"cpay"})
"""Providers without a simulator."""


@dataclass(frozen=True, slots=True)
class ProviderTotals:
    """What one provider charged, refunded and paid out in one currency, in major units."""

    charged: Decimal
    refunded: Decimal
    paid_out: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """simulators: provider → currency → totals. amounts: currency → what the gateway collected and refunded."""

    simulators: Mapping[str, Mapping[str, Any]]
    amounts: Mapping[str, Mapping[str, str]]
    findings: tuple[str, ...]
    reviews: int

    @classmethod
    def read(cls, client: GatewayClient, providers: Iterable[str]) -> Totals:
        """The present totals of both. Raises Difference."""
        token = access_token(client, OPERATOR)
        report = client.fetch("POST", "/admin/reconcile", token=token, json={})["data"]
        figures = client.fetch("GET", "/admin/statistics", token=token, params={"days": DAYS})["data"]
        simulators = {
            name: client.simulators(f"/book/{name}")["totals"] for name in providers if name not in IN_PROCESS
        }
        return cls(simulators, figures["amounts"], tuple(report["ledger_findings"]), len(report["in_review"]))

    def at_provider_since(self, before: Totals, provider: str, currency: str) -> ProviderTotals:
        """The increase of the provider's totals since `before`."""
        now, then = (totals.simulators[provider].get(currency, {}) for totals in (self, before))
        return ProviderTotals(
            *(
                Decimal(now.get(kind, "0")) - Decimal(then.get(kind, "0"))
                for kind in ("charge", "refund", "payout")
            )
        )

    def at_gateway_since(self, before: Totals, currency: str) -> tuple[Decimal, Decimal]:
        """The increase of the gateway's collected and refunded amounts since `before`."""
        now, then = (totals.amounts.get(currency, {}) for totals in (self, before))
        collected, refunded = (
            Decimal(now.get(name, "0")) - Decimal(then.get(name, "0")) for name in ("collected", "refunded")
        )
        return collected, refunded
