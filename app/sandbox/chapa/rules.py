"""What Chapa refuses: each rule gives `{field: ["validation.…"]}`, as its API words it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.sandbox.chapa.answers import amount_of

CURRENCIES: Final = ("ETB", "USD")
TITLE_MAX: Final = 16
DESCRIPTION_MAX: Final = 50

EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
PHONE: Final = re.compile(r"0[79][0-9]{8}")
DESCRIPTION: Final = re.compile(r"[A-Za-z0-9\-_ .]*")
URL: Final = re.compile(r"https?://[^\s/]+\S*")


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
"""Field, a dot before a member of an object → what is wrong with a value that was sent."""


def problems(sent: Mapping[str, Any], *, required: tuple[str, ...]) -> dict[str, list[str]]:
    """Everything wrong with `sent`; empty when nothing is."""
    found = {name: ["validation.required"] for name in required if sent.get(name) in (None, "")}
    for name, check in RULES.items():
        value = _member(sent, name)
        if value in (None, ""):
            continue
        if (problem := check(value)) is not None:
            found[name] = [problem]
    return found


def _member(sent: Mapping[str, Any], name: str) -> object:
    outer, dot, inner = name.partition(".")
    value = sent.get(outer)
    if not dot:
        return value
    return value.get(inner) if isinstance(value, Mapping) else None
