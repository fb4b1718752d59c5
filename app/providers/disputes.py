"""Disputes as a provider reports them: the customer's bank wants a payment's money back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.money import Money
from app.providers.values import storable


class DisputeStatus(StrEnum):
    """Where a dispute stands, in the gateway's own words.

    `INQUIRY`: the bank only asks; the provider has withdrawn nothing. `OPEN`: the provider has withdrawn the money until it is
    decided. `WON`: the merchant keeps the money, or has it again. `LOST`: the customer keeps it. `CLOSED`: it ended without a
    decision, and nothing is withdrawn.
    """

    INQUIRY = "inquiry"
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ReportedDispute:
    """What the provider says, now, about one dispute. amount: what is disputed. provider_status, reason: the provider's words."""

    provider_reference: str
    status: DisputeStatus
    amount: Money
    provider_status: str
    reason: str | None = None

    def __post_init__(self) -> None:
        """What a provider writes is kept as text that a database and a JSON document can hold."""
        for name in ("provider_reference", "provider_status", "reason"):
            object.__setattr__(self, name, storable(getattr(self, name)))
