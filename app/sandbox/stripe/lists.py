"""Lists, searches, and the expanded members of answers."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.store import Document
from app.sandbox.stripe import forms
from app.sandbox.stripe.errors import invalid, missing
from app.sandbox.stripe.objects import public

FILTERS: Final = {
    # kind of document → members that a list can be filtered by
    "payment_intent": ("customer",),
    "session": ("customer", "payment_intent", "status"),
    "refund": ("charge", "payment_intent"),
    "charge": ("customer", "payment_intent"),
    "dispute": ("charge", "payment_intent"),
    "event": ("type",),
}
EXPANDABLE: Final = {
    # object → member → kind of document
    "payment_intent": {"latest_charge": "charge", "payment_method": "payment_method"},
    "checkout.session": {"payment_intent": "payment_intent"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
    "charge": {"payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
}
DEFAULT_LIMIT, MAX_LIMIT = 10, 100
MAX_DEPTH: Final = 4
_CLAUSE: Final = re.compile(
    r"""^\s*(?:metadata\[(?P<mq>["'])(?P<key>[^"']+)(?P=mq)\]|(?P<field>[a-z_]+))\s*:\s*(?P<q>["'])(?P<value>.*?)(?P=q)\s*$"""
)
_SEARCHED: Final = ("status", "currency", "customer")


class Lists:
    """The account's objects as lists."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def page(self, kind: str, params: forms.Params, url: str) -> Document:
        """Newest first: `limit` of them, after `starting_after` or before `ending_before`. Raises 400."""
        names = FILTERS[kind]
        forms.allow(params, "limit", "starting_after", "ending_before", "created", *names)
        wanted = {name: forms.text(params, name) for name in names if params.get(name)}
        found = self._sandbox.store.find("stripe", kind, **wanted)[::-1]
        found = [document for document in found if _is_created(document, params)]
        limit = _limit(params)
        if (after := forms.text(params, "starting_after")) is not None:
            rest = found[_position(found, after, kind) + 1 :]
            chosen, has_more = rest[:limit], len(rest) > limit
        elif (before := forms.text(params, "ending_before")) is not None:
            rest = found[: _position(found, before, kind)]
            chosen, has_more = rest[-limit:], len(rest) > limit
        else:
            chosen, has_more = found[:limit], len(found) > limit
        return {
            "object": "list",
            "data": chosen,
            "has_more": has_more,
            "url": url,
        }

    def search(self, request: ApiRequest) -> Document:
        """`GET /v1/payment_intents/search`: clauses joined by AND, about metadata, status, currency or customer.

        At Stripe a new object may be missing for a minute; here it is found at once.
        """
        params = request.body
        forms.allow(params, "query", "limit", "page")
        tests = [_clause(part) for part in re.split(r"\s+AND\s+", forms.required(params, "query"))]
        intents = self._sandbox.store.find("stripe", "payment_intent")[::-1]
        found = [intent for intent in intents if all(_has(intent, *test) for test in tests)]
        limit = _limit(params)
        return {
            "object": "search_result",
            "data": found[:limit],
            "has_more": len(found) > limit,
            "next_page": None,
            "url": "/v1/payment_intents/search",
        }

    def rendered(self, document: Document, paths: Sequence[str]) -> Document:
        """The answer: without the sandbox's own members, and with the objects named by `expand[]`. Raises 400."""
        split = [path.split(".") for path in paths]
        if any(len(path) > MAX_DEPTH for path in split):
            raise invalid(f"You cannot expand more than {MAX_DEPTH} levels of a property.", param="expand")
        if document["object"] in ("list", "search_result"):
            inner = [path[1:] for path in split if path[0] == "data" and len(path) > 1]
            return document | {"data": [self._expanded(item, inner) for item in document["data"]]}
        return self._expanded(document, split)

    def _expanded(self, document: Document, paths: Sequence[Sequence[str]]) -> Document:
        answer = public(document)
        for name in dict.fromkeys(path[0] for path in paths):
            rest = [path[1:] for path in paths if path[0] == name and len(path) > 1]
            if name == "line_items" and "_line_items" in document:
                answer[name] = line_items(document)
                continue
            kind = EXPANDABLE.get(document["object"], {}).get(name)
            if kind is None:
                raise invalid(f"This property cannot be expanded ({name}).", param="expand")
            if document[name] is not None:
                inner = self._sandbox.store.get("stripe", kind, document[name])
                assert inner is not None
                answer[name] = self._expanded(inner, rest)
        return answer


def line_items(session: Document) -> Document:
    """The line items of a session, as a list."""
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return {"object": "list", "data": session["_line_items"], "has_more": False, "url": url}


def _limit(params: forms.Params) -> int:
    limit = forms.integer(params, "limit")
    if limit is None:
        return DEFAULT_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid(
            f"This value must be from 1 to {MAX_LIMIT}.", param="limit", code="parameter_invalid_integer"
        )
    return limit


def _is_created(document: Document, params: forms.Params) -> bool:
    value = params.get("created")
    if value is None:
        return True
    created: int = document["created"]
    if isinstance(value, str):
        return created == forms.integer(params, "created")
    bounds = forms.allow(forms.branch(params, "created"), "gt", "gte", "lt", "lte")
    checks = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
    return all(checks[name](created, forms.integer(bounds, name) or 0) for name in bounds)


def _position(found: Sequence[Document], id: str, kind: str) -> int:
    for position, document in enumerate(found):
        if document["id"] == id:
            return position
    raise missing(kind, id, param="starting_after", status=400)


def _clause(text: str) -> tuple[str | None, str, str]:
    """(metadata key or None, field, value)"""
    match = _CLAUSE.match(text)
    if match is None or (match["field"] and match["field"] not in _SEARCHED):
        raise invalid(f"We were unable to parse your search query: {text}", param="query")
    return match["key"], match["field"] or "", match["value"]


def _has(intent: dict[str, Any], key: str | None, field: str, value: str) -> bool:
    return bool((intent["metadata"].get(key) if key else intent[field]) == value)
