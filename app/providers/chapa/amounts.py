"""Amounts, contact details and texts in Chapa's spelling."""

from __future__ import annotations

import re
from typing import Final

from app.errors import GatewayError
from app.money import Money
from app.providers.base import Customer

MAX_TITLE: Final = 16
MAX_DESCRIPTION: Final = 50

_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")
_PHONE: Final = re.compile(r"(?:\+251|0)([97]\d{8})", re.ASCII)
_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9 ._-]+")


def money(value: object, currency: object) -> Money | None:
    """Chapa's amount (major units, a number or a text) as Money; None when it cannot be read exactly."""
    if not isinstance(currency, str):
        return None
    try:
        return Money.parse(value, currency)
    except GatewayError:
        return None


def local_phone(phone: str | None) -> str | None:
    """Ten digits from 09 or 07, the only spelling Chapa takes; None for any other number, which is left out."""
    found = _PHONE.fullmatch(phone or "")
    return f"0{found[1]}" if found else None


def text(value: str, limit: int) -> str:
    """`value` with the characters Chapa allows in customization texts, at most `limit` of them; may be empty."""
    return " ".join(_NOT_ALLOWED.sub(" ", value).split())[:limit].strip()


def contact(customer: Customer) -> dict[str, str]:
    """The customer as members of the initialize body. What Chapa would refuse is left out: nothing here is needed."""
    first, _, last = (customer.name or "").strip().partition(" ")
    phone, email = local_phone(customer.phone), (customer.email or "").strip()
    members = {
        "first_name": first,
        "last_name": last.strip(),
        "phone_number": phone or "",
        "email": email if _EMAIL.fullmatch(email) else "",
    }
    return {name: value for name, value in members.items() if value}
