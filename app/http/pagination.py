"""Pages of lists: how a query asks for one, and the cursor that continues behind it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from app import ids
from app.errors import InvalidRequest
from app.services.pages import Page, PageRequest

T = TypeVar("T")

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100


def page_request(query: Mapping[str, Any]) -> PageRequest:
    """What a validated query asks for by `per_page` or `limit`, and by one of `page`, `offset` and `cursor`.

    A limit above MAX_LIMIT is MAX_LIMIT. Raises InvalidRequest for two ways at once, or an unreadable cursor.
    """
    given = [name for name in ("page", "offset", "cursor") if name in query]
    if len(given) > 1:
        raise InvalidRequest(f"Send one of {' and '.join(given)}, not both.", field=given[-1])
    limit = min(query.get("per_page") or query.get("limit") or DEFAULT_LIMIT, MAX_LIMIT)
    if "cursor" in query:
        return PageRequest(limit, after=_decoded(query["cursor"]))
    return PageRequest(limit, query.get("offset", (query.get("page", 1) - 1) * limit))


def next_cursor(page: Page[T], id_of: Callable[[T], uuid.UUID]) -> str | None:
    """The cursor of the next page; None when this is the last one."""
    return id_of(page.items[-1]).hex if page.has_next else None


def transaction_cursor(text: str) -> uuid.UUID:
    """The ledger entry of a cursor that is a transaction id (`txn_…`). Raises InvalidRequest."""
    entry_id = ids.parse(ids.TRANSACTION, text)
    if entry_id is None:
        raise _not_of_this_list()
    return entry_id


def _decoded(cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(hex=cursor)
    except ValueError:
        raise _not_of_this_list() from None


def _not_of_this_list() -> InvalidRequest:
    return InvalidRequest("This cursor is not from this list.", field="cursor")
