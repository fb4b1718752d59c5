"""How Paystack answers: one envelope, amounts as whole subunits, lists in pages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from werkzeug.datastructures import MultiDict

SUBUNITS: Final = 100
"""A hundred subunits make one unit of every currency here, also of XOF and RWF."""

MAX_SUBUNITS: Final = 10**14
MAX_PER_PAGE: Final = 100
INTEGRATION: Final = 428_000
FIRST_ID: Final = 4_100_000_000
"""Ids exceed 32 bits, as live ones do."""


def success(message: str, data: object, *, meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body of an answer that is no error. `status: true` means only that the call succeeded."""
    envelope = {"status": True, "message": message, "data": data}
    return envelope if meta is None else envelope | {"meta": meta}


def page(message: str, items: Sequence[Mapping[str, Any]], query: MultiDict[str, str]) -> dict[str, Any]:
    """One page of a list, by `?perPage=` (at most 100) and `?page=`."""
    size = min(max(query.get("perPage", 50, type=int), 1), MAX_PER_PAGE)
    number = max(query.get("page", 1, type=int), 1)
    start = (number - 1) * size
    meta = {
        "total": len(items),
        "skipped": start,
        "perPage": size,
        "page": number,
        "pageCount": -(-len(items) // size),
    }
    return success(message, items[start : start + size], meta=meta)


def subunits(value: object) -> int | None:
    """A positive whole number, sent as a number or as text; otherwise None. 100.0 and "1e3" are refused."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= MAX_SUBUNITS else None


def major(amount: int) -> Decimal:
    """Subunits as major units with two decimals, for records, pages and magic amounts."""
    return (Decimal(amount) / SUBUNITS).quantize(Decimal("0.01"))


def timestamp(moment: datetime) -> str:
    """`2024-08-22T09:14:24.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> int:
    """A random id of an object."""
    return FIRST_ID + secrets.randbelow(5 * 10**9)


def new_code(prefix: str) -> str:
    """A random code of an object."""
    return prefix + secrets.token_hex(8)


def is_url(value: object) -> bool:
    """Whether Paystack accepts `value` as a URL."""
    return isinstance(value, str) and value.startswith(("http://", "https://")) and " " not in value
