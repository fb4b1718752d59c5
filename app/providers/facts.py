"""Reading what providers send: the object in a callback, the members of an answer that are stored, when to ask again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from app import json_numbers
from app.providers.errors import InvalidCallback

MAX_FACT: Final = 200
"""Longest text of a provider's that is kept, in characters."""


def clean(text: str) -> str:
    """A provider's text as it can be stored: no NUL, no lone surrogates, not too long."""
    return text[:MAX_FACT].encode("utf-8", "replace").decode().replace("\0", "")


def facts(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The named members as JSON-safe values: Decimals become texts, objects are left out, long texts are cut."""
    kept: dict[str, Any] = {}
    for name in names:
        value = data.get(name)
        if isinstance(value, str):
            kept[name] = clean(value)
        elif isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
            kept[name] = value
        elif isinstance(value, (int, Decimal, float)):
            kept[name] = clean(str(value))
    return kept


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object a callback consists of, fractions as Decimals; a number out of bounds is None, so that one member does not
    cost the others. Raises InvalidCallback."""
    try:
        content = json_numbers.loads(body, is_unreadable_none=True)
    except ValueError:
        raise InvalidCallback from None
    if not isinstance(content, dict):
        raise InvalidCallback
    return content


@contextmanager
def signed() -> Iterator[None]:
    """Around the reading of a callback whose signature is valid: an InvalidCallback from inside says so."""
    try:
        yield
    except InvalidCallback as error:
        error.is_verified = True
        raise


def retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Seconds of the `Retry-After` header; None when it is absent, a date, or longer than a day."""
    value = headers.get("retry-after", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None
