"""Pages of lists: how a query asks for one, and the cursor that continues behind it."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from app import ids
from app.errors import InvalidRequest
from app.services.pages import Page, PageRequest

T = TypeVar("T")

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100

PAGING: Final = frozenset({"page", "per_page", "limit", "offset", "cursor"})

MAX_FILTERS: Final = 2_000
"""Characters of a list's filters together, URL-encoded: with their cursor they must fit into a request's first line."""

MAX_CURSOR: Final = 33 + -(-MAX_FILTERS * 4 // 3)


def page_request(query: Mapping[str, Any], *, max_limit: int = MAX_LIMIT) -> PageRequest:
    """What a validated query asks for by `per_page` or `limit`, and by one of `page`, `offset` and `cursor`.

    A limit above max_limit is max_limit. Raises InvalidRequest for two ways at once, or an unreadable cursor.
    """
    given = [name for name in ("page", "offset", "cursor") if name in query]
    if len(given) > 1:
        raise InvalidRequest(f"Send one of {' and '.join(given)}, not both.", field=given[-1])
    limit = min(query.get("per_page") or query.get("limit") or DEFAULT_LIMIT, max_limit)
    if "cursor" in query:
        return PageRequest(limit, after=_decoded(query["cursor"]))
    return PageRequest(limit, query.get("offset", (query.get("page", 1) - 1) * limit))


def next_cursor(page: Page[T], id_of: Callable[[T], uuid.UUID], *, filters: str = "") -> str | None:
    """The cursor of the next page, which keeps the list's filters; None when this is the last one."""
    if not page.has_next:
        return None
    kept = base64.urlsafe_b64encode(filters.encode()).decode().rstrip("=")
    return f"{id_of(page.items[-1]).hex}.{kept}" if filters else id_of(page.items[-1]).hex


def filters_of(query: MultiDict[str, str]) -> str:
    """The filters of the list that a query asks for, URL-encoded: those of its cursor, else all that do not page.

    Raises InvalidRequest for filters beside a cursor of a list with others, for too many, or for an unreadable cursor.
    """
    given = urlencode(sorted(item for item in query.items(multi=True) if item[0] not in PAGING))
    if len(given) > MAX_FILTERS:
        raise InvalidRequest(f"The filters are longer than {MAX_FILTERS} characters together.")
    if "cursor" not in query:
        return given
    kept = _kept_filters(query["cursor"])
    if given not in ("", kept):
        raise InvalidRequest("This cursor is from a list with other filters.", field="cursor")
    return kept


def transaction_cursor(text: str) -> uuid.UUID:
    """The ledger entry of a cursor that is a transaction id (`txn_…`). Raises InvalidRequest."""
    entry_id = ids.parse(ids.TRANSACTION, text)
    if entry_id is None:
        raise _not_of_this_list()
    return entry_id


def _decoded(cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(hex=cursor.partition(".")[0])
    except ValueError:
        raise _not_of_this_list() from None


def _kept_filters(cursor: str) -> str:
    kept = cursor.partition(".")[2]
    try:
        return base64.b64decode(kept + "=" * (-len(kept) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        raise _not_of_this_list() from None


def _not_of_this_list() -> InvalidRequest:
    return InvalidRequest("This cursor is not from this list.", field="cursor")
