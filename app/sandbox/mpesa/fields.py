"""The fields of requests, checked as Daraja checks them: the error names the first wrong field, nothing else."""

from __future__ import annotations

import re
from typing import Any, Final

from app.sandbox.http import is_web_address
from app.sandbox.mpesa.errors import invalid
from app.sandbox.mpesa.keys import Keys
from app.sandbox.store import Document

MSISDN: Final = r"254[17]\d{8}"
SHORTCODE: Final = r"\d{5,7}"
RECEIPT: Final = r"[A-Z0-9]{10}"
MAXIMUM: Final = 250_000
"""Shillings in one transaction."""


def match(body: dict[str, Any], field: str, pattern: str, *, is_optional: bool = False) -> str:
    """A string or whole number that matches `pattern`; "" for an optional one that is missing."""
    value = body.get(field)
    if is_optional and value in (None, ""):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise invalid(field)
    if not re.fullmatch(pattern, str(value), re.ASCII | re.DOTALL):
        raise invalid(field)
    return str(value)


def text(body: dict[str, Any], field: str, least: int, most: int, *, is_optional: bool = False) -> str:
    """A text of `least` to `most` characters."""
    return match(body, field, rf".{{{least},{most}}}", is_optional=is_optional)


def shillings(body: dict[str, Any]) -> int:
    """The Amount: whole shillings, at least one."""
    amount = int(match(body, "Amount", r"\d{1,12}"))
    if amount < 1:
        raise invalid("Amount")
    return amount


def url(body: dict[str, Any], field: str) -> str:
    """An http or https URL with a host."""
    value = body.get(field)
    if not isinstance(value, str) or len(value) > 2048 or not is_web_address(value):
        raise invalid(field)
    return value


def operator(body: dict[str, Any], name_field: str, keys: Keys) -> Document:
    """Whether the credentials of the API operator are right. Wrong ones are reported by the result (2001)."""
    name = text(body, name_field, 1, 100)
    credential = text(body, "SecurityCredential", 1, 2000)
    return {"is_operator": keys.is_operator(name, credential)}


def result_urls(body: dict[str, Any]) -> Document:
    """Where the result of a command goes."""
    return {"timeout_url": url(body, "QueueTimeOutURL"), "result_url": url(body, "ResultURL")}
