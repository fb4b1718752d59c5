"""Reading requests as Daraja does: the first field that is wrong is named, nothing else."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from flask import request

from app.sandbox.mpesa.replies import Refused, invalid

MSISDN: Final = r"254[17]\d{8}"
SHORTCODE: Final = r"\d{5,7}"
LARGEST: Final = 250_000
"""Shillings in one transaction; B2C's smallest is 10."""


def body(first_field: str) -> dict[str, Any]:
    """The JSON object. With another content type Daraja finds its first field invalid."""
    if request.mimetype != "application/json":
        raise invalid(first_field)
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        raise Refused(400, "400.002.05", "Invalid Request Payload")
    return sent


def text(sent: dict[str, Any], field: str, pattern: str, *, is_optional: bool = False) -> str:
    """A string or whole number that matches wholly; "" for an optional one that is missing."""
    value = sent.get(field)
    if is_optional and value in (None, ""):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise invalid(field)
    if not re.fullmatch(pattern, str(value), re.ASCII | re.DOTALL):
        raise invalid(field)
    return str(value)


def words(sent: dict[str, Any], field: str, least: int, most: int, *, is_optional: bool = False) -> str:
    """A text of `least` to `most` characters."""
    return text(sent, field, rf".{{{least},{most}}}", is_optional=is_optional)


def shillings(sent: dict[str, Any], field: str = "Amount") -> int:
    """Whole shillings, at least one."""
    amount = int(text(sent, field, r"\d{1,12}"))
    if amount < 1:
        raise invalid(field)
    return amount


def url(sent: dict[str, Any], field: str) -> str:
    """An http or https URL with a host."""
    value = sent.get(field)
    if not isinstance(value, str) or len(value) > 2048:
        raise invalid(field)
    try:
        parts = urlsplit(value)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_url = False
    if not is_url:
        raise invalid(field)
    return value


def for_fault(amount_field: str, *reference_fields: str) -> tuple[Decimal | None, str | None]:
    """Amount and reference of this request as far as they can be read; never an error."""
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        return None, None
    amount = str(sent.get(amount_field, ""))
    found = next((str(sent[name]) for name in reference_fields if sent.get(name)), None)
    return (Decimal(amount) if re.fullmatch(r"\d{1,12}", amount, re.ASCII) else None), found
