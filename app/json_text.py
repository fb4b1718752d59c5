"""JSON for the database's columns: Decimals keep their digits, floats never come from us."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from app.json_numbers import is_bounded, plain


def json_text(value: object) -> str:
    """`value` as JSON; a Decimal that no database stores becomes null. Raises TypeError for what has no JSON form."""
    try:
        return orjson.dumps(value, default=_default).decode()
    except TypeError:
        # Whole numbers beyond 64 bits: what is stored must always be writable.
        return json.dumps(value, default=_plainly, allow_nan=False)


def _plainly(value: object) -> Any:
    if isinstance(value, Decimal):
        return plain(value) if is_bounded(value) else None
    return _default(value)


def _default(value: object) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value) if is_bounded(value) else "null")
    if isinstance(value, (uuid.UUID, datetime)):
        return str(value)
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"{type(value).__name__} is not JSON")
