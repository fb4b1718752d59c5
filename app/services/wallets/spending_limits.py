"""Spending limits: KYC tiers and the single maximum, in US cents (docs/api/wallet.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.errors import InvalidAmount, UnsupportedCurrency
from app.money import Money, in_usd_minor

SINGLE_MAX_USD_MINOR: Final = 10_000_00
"""No single payment or withdrawal above this many US cents, whatever the tier."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Sums over one UTC day and one UTC month, over all wallets of a user, in US cents."""

    daily_usd_minor: int
    monthly_usd_minor: int


TIERS: Final = (
    Tier(100_00, 500_00),
    Tier(1_000_00, 5_000_00),
    Tier(10_000_00, 50_000_00),
    Tier(100_000_00, 500_000_00),
)
DAILY_LIMITS: Final = [tier.daily_usd_minor for tier in TIERS]
MONTHLY_LIMITS: Final = [tier.monthly_usd_minor for tier in TIERS]


def wallet_currencies(rates: Mapping[str, Decimal]) -> frozenset[str]:
    """Currencies a wallet may have: US dollars, and all that have a rate (setting USD_RATES)."""
    return frozenset({"USD", *rates})


def require_wallet_currency(currency: str, rates: Mapping[str, Decimal]) -> None:
    """Raises UnsupportedCurrency."""
    if currency not in wallet_currencies(rates):
        raise UnsupportedCurrency(f"{currency} is not supported here.", field="currency")


def usd_within_single_maximum(amount: Money, rates: Mapping[str, Decimal]) -> int:
    """US cents of `amount`. Raises InvalidAmount above the single maximum, UnsupportedCurrency."""
    require_wallet_currency(amount.currency, rates)
    usd_minor = in_usd_minor(amount, rates)
    if usd_minor > SINGLE_MAX_USD_MINOR:
        raise InvalidAmount("A single transaction is at most 10,000 USD or its equivalent.", field="amount")
    return usd_minor
