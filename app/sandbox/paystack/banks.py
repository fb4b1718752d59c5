"""Where Paystack transfers can go: banks and wallets by currency, and the recipient types that take them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Bank:
    """One entry of `GET /bank`. `type` is a recipient type."""

    id: int
    name: str
    code: str
    type: str
    currency: str
    country: str

    def as_listed(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "slug": self.name.lower().replace(" ", "-"),
            "code": self.code,
            "longcode": "",
            "gateway": None,
            "pay_with_bank": False,
            "active": True,
            "country": self.country,
            "currency": self.currency,
            "type": self.type,
            "is_deleted": False,
            "createdAt": "2023-01-24T04:28:30.000Z",
            "updatedAt": "2024-08-03T08:10:24.000Z",
        }


BANKS: Final = (
    Bank(1, "Access Bank", "044", "nuban", "NGN", "Nigeria"),
    Bank(9, "Guaranty Trust Bank", "058", "nuban", "NGN", "Nigeria"),
    Bank(21, "Zenith Bank", "057", "nuban", "NGN", "Nigeria"),
    Bank(24, "Test Bank", "001", "nuban", "NGN", "Nigeria"),
    Bank(28, "Absa Bank Ghana", "030100", "ghipss", "GHS", "Ghana"),
    Bank(29, "MTN", "MTN", "mobile_money", "GHS", "Ghana"),
    Bank(66, "Telecel", "VOD", "mobile_money", "GHS", "Ghana"),
    Bank(231, "Safaricom", "MPESA", "mobile_money", "KES", "Kenya"),
    Bank(798, "Airtel Kenya", "ATL_KE", "mobile_money", "KES", "Kenya"),
    Bank(799, "M-PESA Till", "MPTILL", "mobile_money_business", "KES", "Kenya"),
    Bank(800, "M-PESA Paybill", "MPPAYBILL", "mobile_money_business", "KES", "Kenya"),
    Bank(801, "KCB Bank Kenya", "01", "kepss", "KES", "Kenya"),
    Bank(802, "Equity Bank", "68", "kepss", "KES", "Kenya"),
    Bank(140, "Absa Bank South Africa", "632005", "basa", "ZAR", "South Africa"),
    Bank(141, "First National Bank", "250655", "basa", "ZAR", "South Africa"),
)

ACCOUNTS: Final = {
    "nuban": re.compile(r"[0-9]{10}"),
    "ghipss": re.compile(r"[0-9]{6,16}"),
    "kepss": re.compile(r"[0-9]{6,16}"),
    "basa": re.compile(r"[0-9]{6,13}"),
    "mobile_money": re.compile(r"0[0-9]{9}"),
    "mobile_money_business": re.compile(r"[0-9]{5,10}"),
}
"""Recipient type → what its account numbers look like."""

TYPES: Final = (*ACCOUNTS, "authorization")


def find(type: str, code: object, currency: object) -> Bank | None:
    """The bank of this type and code; in `currency` when one is named."""
    for bank in BANKS:
        if (bank.type, bank.code) == (type, str(code)) and currency in (None, "", bank.currency):
            return bank
    return None


def listed(*, country: str | None, currency: str | None, type: str | None) -> list[dict[str, Any]]:
    """Those that match every filter given; the country by its name in any case, words joined by spaces."""
    return [
        bank.as_listed()
        for bank in BANKS
        if (not country or bank.country.lower() == country.lower())
        and (not currency or bank.currency == currency)
        and (not type or bank.type == type)
    ]
