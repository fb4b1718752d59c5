"""JSON out, by orjson."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson
from flask import Response
from flask.json.provider import JSONProvider

from app.json_text import json_text

_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS

REPLAYED_HEADER: Final = "Idempotent-Replayed"


def respond(
    body: Mapping[str, Any],
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    replayed: bool = False,
) -> Response:
    """A JSON response. `replayed`: it is the stored answer of an idempotency key's first request."""
    response = Response(dumps(body), status, headers, content_type="application/json")
    if replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return response


def dumps(value: object) -> bytes:
    """Compact JSON. Decimals keep their digits; times are ISO 8601 with `Z`."""
    try:
        return orjson.dumps(value, default=_default, option=_OPTIONS)
    except TypeError:
        return json_text(value).encode()  # whole numbers beyond 64 bits


def _default(value: object) -> object:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class OrjsonProvider(JSONProvider):
    """What Flask's jsonify and the test client use. Bodies of requests are read by strict_json, not here."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return orjson.loads(s)
