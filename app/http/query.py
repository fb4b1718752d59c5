"""Query parameters: a route takes those it declares, each once; a request with any other is refused.

A parameter that were ignored, such as a misspelt filter, would answer a whole list as if it were the wanted part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import marshmallow as ma
from flask import Flask, current_app, request

from app.errors import InvalidRequest

ATTRIBUTE: Final = "query_schema"
"""Set on a route by `arguments(…, location="query")`."""

MAX_NAME_SHOWN: Final = 64
"""Characters of an unknown parameter's name that the error repeats."""

Declared = Mapping[str, bool]
"""Parameter → whether it may be given several times."""

_NOTHING: Final[Declared] = {}


def declare(route: Callable[..., Any], schema: ma.Schema) -> None:
    """Note on the route that its query is read by `schema`."""
    setattr(route, ATTRIBUTE, schema)


def declared(route: Callable[..., Any]) -> Declared:
    """The parameters of a route."""
    schema: ma.Schema | None = getattr(route, ATTRIBUTE, None)
    if schema is None:
        return _NOTHING
    return {
        field.data_key or name: isinstance(field, ma.fields.List)
        for name, field in schema.load_fields.items()
    }


def bind(app: Flask, any_query: frozenset[str]) -> None:
    """Remember the parameters of every route; those of the endpoints `any_query` are not checked."""
    app.extensions["query_parameters"] = {
        endpoint: declared(view) for endpoint, view in app.view_functions.items() if endpoint not in any_query
    }


def is_checked(app: Flask, endpoint: str) -> bool:
    """Whether a route refuses parameters that it does not declare."""
    return endpoint in app.extensions["query_parameters"]


def check() -> None:
    """Raises InvalidRequest, which names the first parameter that this request's route does not know or has twice.

    Requests without a route, and OPTIONS, have no parameters to check.
    """
    if not request.query_string or request.endpoint is None or request.method == "OPTIONS":
        return
    known: Declared | None = current_app.extensions["query_parameters"].get(request.endpoint)
    if known is None:
        return
    for name, values in request.args.lists():
        if name not in known:
            raise _refusal(name[:MAX_NAME_SHOWN], "This query parameter is not known here.")
        if len(values) > 1 and not known[name]:
            raise _refusal(name, "This query parameter may be given once.")


def _refusal(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {message}", field=name, details={"fields": {name: [message]}})
