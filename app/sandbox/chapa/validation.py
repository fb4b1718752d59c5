"""Reading and validating requests. Problems are `{field: ["validation.…"]}`, as in Chapa's answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from flask import request

from app.sandbox.chapa.replies import CENT
from app.sandbox.http import json_object

Document = dict[str, Any]

CURRENCIES: Final = ("ETB", "USD")
TITLE_MAX: Final = 16
DESCRIPTION_MAX: Final = 50

EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
PHONE: Final = re.compile(r"0[79][0-9]{8}")
DESCRIPTION: Final = re.compile(r"[A-Za-z0-9\-_ .]*")
URL: Final = re.compile(r"https?://[^\s/]+\S*")


def request_body() -> Document:
    """The request's JSON object or form. Empty when it cannot be read, so that every field is missing."""
    if request.is_json:
        return json_object() or {}
    fields: Document = {}
    for name, value in request.form.items():
        outer, bracket, inner = name.partition("[")
        if bracket:
            fields.setdefault(outer, {})[inner.rstrip("]")] = value
        else:
            fields[name] = value
    return fields


def amount_of(value: object) -> Decimal | None:
    """A positive amount in major units with at most two decimals, sent as a number or as text; otherwise None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount <= 0 or amount.adjusted() > 12:
        return None
    return amount if amount == amount.quantize(CENT) else None


def _amount(value: object) -> str | None:
    return None if amount_of(value) is not None else "validation.numeric"


def _email(value: object) -> str | None:
    return None if EMAIL.fullmatch(str(value)) else "validation.email"


def _phone(value: object) -> str | None:
    return None if PHONE.fullmatch(str(value)) else "validation.phone_number"


def _url(value: object) -> str | None:
    return None if URL.fullmatch(str(value)) else "validation.url"


def _title(value: object) -> str | None:
    return None if len(str(value)) <= TITLE_MAX else "validation.max.string"


def _description(value: object) -> str | None:
    if len(str(value)) > DESCRIPTION_MAX:
        return "validation.max.string"
    return None if DESCRIPTION.fullmatch(str(value)) else "validation.regex"


RULES: Final[Mapping[str, Callable[[object], str | None]]] = {
    "amount": _amount,
    "email": _email,
    "phone_number": _phone,
    "callback_url": _url,
    "return_url": _url,
    "customization.title": _title,
    "customization.description": _description,
}
"""Field, with a dot before a member of an object → the check of its value, which returns the problem or None."""


def problems(body: Mapping[str, Any], *, required: tuple[str, ...]) -> dict[str, list[str]]:
    """All problems of `body`; empty when it is valid."""
    found = {name: ["validation.required"] for name in required if body.get(name) in (None, "")}
    for name, check in RULES.items():
        value = _member(body, name)
        if value in (None, ""):
            continue
        if (problem := check(value)) is not None:
            found[name] = [problem]
    return found


def _member(body: Mapping[str, Any], name: str) -> object:
    outer, dot, inner = name.partition(".")
    value = body.get(outer)
    if not dot:
        return value
    return value.get(inner) if isinstance(value, Mapping) else None
