"""The banks and wallets that Paystack transfers can go to, by currency, and the types of recipients."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.paystack.errors import ApiError
from app.sandbox.paystack.replies import success


@dataclass(frozen=True, slots=True)
class Bank:
    """One entry of `GET /bank`. type: of the recipients at this bank."""

    id: int
    name: str
    code: str
    type: str
    currency: str
    country: str

    def details(self) -> dict[str, Any]:
        """The bank in the list of banks."""
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
    # The code of the Tenant API's example; no document of Paystack lists Kenya's codes.
    Bank(803, "Sample Bank Kenya", "063", "kepss", "KES", "Kenya"),
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
"""Recipient type → the format of its account numbers."""

TYPES: Final = (*ACCOUNTS, "authorization")


def find(type: str, code: object, currency: object) -> Bank | None:
    """The bank with this type and code, and with `currency` when one is given."""
    for bank in BANKS:
        if (bank.type, bank.code) == (type, str(code)) and currency in (None, "", bank.currency):
            return bank
    return None


def list_banks(request: ApiRequest) -> dict[str, Any]:
    """`GET /bank`: the banks that match `?country=` (a name, in any case), `?currency=` and `?type=`."""
    country, currency, type = (request.query.get(name) for name in ("country", "currency", "type"))
    found = [
        bank.details()
        for bank in BANKS
        if (not country or bank.country.lower() == country.lower())
        and (not currency or bank.currency == currency)
        and (not type or bank.type == type)
    ]
    return success("Banks retrieved", found)


RESOLVABLE: Final = ("nuban", "ghipss")
UNKNOWN_ACCOUNT: Final = "9999999999"
"""The account number whose holder cannot be resolved."""


def resolve(request: ApiRequest) -> dict[str, Any]:
    """`GET /bank/resolve`: the holder of an account."""
    account, code = request.query.get("account_number", ""), request.query.get("bank_code", "")
    found = [bank for bank in BANKS if bank.code == code and bank.type in RESOLVABLE]
    is_account = re.fullmatch(r"[0-9]{10,16}", account) is not None and account != UNKNOWN_ACCOUNT
    if not found or not is_account:
        raise ApiError(
            422, "Could not resolve account name. Check parameters or try again.", code="invalid_bank_code"
        )
    data = {"account_number": account, "account_name": "SANDBOX CUSTOMER", "bank_id": found[0].id}
    return success("Account number resolved", data)
