"""Small values on Daraja's wire: phone numbers, amounts, codes, times, texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from app import json_numbers
from app.money import Money
from app.providers.errors import RequestRejected

CURRENCY: Final = "KES"
MINOR: Final = 100
"""Cents in a shilling."""

EAT: Final = timezone(timedelta(hours=3), "EAT")
"""Kenya's time: no summer time. Daraja's timestamps are in it."""

_MSISDN: Final = re.compile(r"(?:\+?254|0)([17][0-9]{8})")
SHORTCODE: Final = re.compile(r"[0-9]{5,7}")
MAX_ID: Final = 100
MAX_TEXT: Final = 255


def msisdn(phone: str | None) -> str:
    """`2547…` or `2541…`, 12 digits, of +254…, 254…, 07… or 01…. Raises RequestRejected."""
    found = _MSISDN.fullmatch(phone or "")
    if found is None:
        raise RequestRejected("M-Pesa needs a Kenyan mobile number: +2547… or +2541….", code="phone")
    return f"254{found[1]}"


def till_number(text: str | None) -> str:
    """A till: 5 to 7 digits. Raises RequestRejected."""
    if not SHORTCODE.fullmatch(text or ""):
        raise RequestRejected("A till number has 5 to 7 digits.", code="till_number")
    return str(text)


def whole_shillings(amount: Money) -> int:
    """What goes out as `Amount`. Raises RequestRejected for another currency and for cents."""
    if amount.currency != CURRENCY:
        raise RequestRejected(f"M-Pesa does not take {amount.currency}.", code="currency")
    shillings, cents = divmod(amount.amount_minor, MINOR)
    if cents:
        raise RequestRejected("M-Pesa takes whole KES only.", code="amount")
    return shillings


def money_of(value: object) -> Money | None:
    """An amount as Daraja writes it (`1.00`, `10`, `"190.00"`); None when there is none. Raises InvalidAmount."""
    if value is None or value == "":
        return None
    return Money.parse(value, CURRENCY)


def code_of(value: object) -> str | None:
    """A result code as text, whichever way it was sent. None: it is none.

    Success is written with one zero or several (`0`, `"0"`, `"00000000"`): all are `"0"`.
    """
    if isinstance(value, bool):
        return None
    number = json_numbers.whole(value)
    if number is not None and abs(number) < 10**10:
        return str(number)
    if isinstance(value, str) and 0 < len(value.strip()) <= MAX_ID:
        text = value.strip()
        return text if text.strip("0") else "0"
    return None


def id_of(value: object) -> str | None:
    """An id of Daraja's: a short printable text. None: it is none."""
    if isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isprintable():
        return value
    return None


def text_of(value: object) -> str:
    """A description, cut to a length that can be stored; empty when there is none."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in value)[:MAX_TEXT]
    return "" if value is None or isinstance(value, (dict, list)) else str(value)[:MAX_TEXT]


def facts(source: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """The named facts of an answer as texts: JSON-safe, nothing else let through."""
    return {name: text for name in names if (text := text_of(source.get(name)))}


def short_reference_text(text: str, length: int, fallback: str) -> str:
    """`text` as Daraja's free-text fields take it: letters, digits, space, hyphen, dot."""
    kept = re.sub(r"[^A-Za-z0-9 .-]", "", text).strip()[:length].strip()
    return kept if len(kept) > 1 else fallback


def stamp(moment: datetime) -> str:
    """`YYYYMMDDHHmmss` in EAT: `Timestamp`."""
    return moment.astimezone(EAT).strftime("%Y%m%d%H%M%S")


def pull_date(moment: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS` in EAT."""
    return moment.astimezone(EAT).strftime("%Y-%m-%d %H:%M:%S")


def read_pull_date(text: str) -> datetime:
    """A row's `trxDate`; EAT when it names no zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=EAT)


def with_notice(url: str, notice: str) -> str:
    """A callback URL that says which message comes to it (`callbacks.NOTICE_KINDS`): bodies alone do not."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("notice", notice)]
    return urlunsplit(parts._replace(query=urlencode(query)))
