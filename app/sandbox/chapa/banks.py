"""Banks and wallets a Chapa transfer can go to. Ids, names and wallets as Chapa's list has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

WALLET_NUMBER: Final = re.compile(r"0[79][0-9]{8}")
COUNTRY_ETHIOPIA: Final = 1


@dataclass(frozen=True, slots=True)
class Bank:
    """`account_length` is the number of digits of an account; wallets have phone numbers of ten."""

    id: int
    slug: str
    swift: str
    name: str
    account_length: int
    is_mobile_money: bool = False

    def takes(self, account_number: str) -> bool:
        if self.is_mobile_money:
            return WALLET_NUMBER.fullmatch(account_number) is not None
        return (
            len(account_number) == self.account_length
            and account_number.isascii()
            and account_number.isdigit()
        )

    def as_listed(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "slug": self.slug,
            "swift": self.swift,
            "name": self.name,
            "acct_length": self.account_length,
            "country_id": COUNTRY_ETHIOPIA,
            "is_mobilemoney": 1 if self.is_mobile_money else None,
            "is_active": 1,
            "is_rtgs": None if self.is_mobile_money else 1,
            "active": 1,
            "is_24hrs": 1,
            "created_at": "2023-01-24T04:28:30.000000Z",
            "updated_at": "2024-08-03T08:10:24.000000Z",
            "currency": "ETB",
        }


BANKS: Final = {
    bank.id: bank
    for bank in (
        Bank(130, "abay_bank", "ABAYETAA", "Abay Bank", 16),
        Bank(656, "awash_bank", "AWINETAA", "Awash Bank", 14),
        Bank(347, "boa_bank", "ABYSETAA", "Bank of Abyssinia", 8),
        Bank(946, "cbe_bank", "CBETETAA", "Commercial Bank of Ethiopia (CBE)", 13),
        Bank(880, "dashen_bank", "DASHETAA", "Dashen Bank", 13),
        Bank(855, "telebirr", "TELEBIRR", "telebirr", 10, is_mobile_money=True),
        Bank(128, "cbebirr", "CBEBIRR", "CBEBirr", 10, is_mobile_money=True),
        Bank(266, "mpesa", "MPESA", "M-Pesa", 10, is_mobile_money=True),
    )
}


def find(code: object) -> Bank | None:
    """The bank of a `bank_code`, sent as a number or as its digits."""
    digits = str(code)
    return BANKS.get(int(digits)) if re.fullmatch(r"[0-9]{1,9}", digits) else None
