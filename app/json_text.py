"""JSON for the database's columns: Decimals keep their digits, floats never come from us."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson


def json_text(value: object) -> str:
    """`value` as JSON. Raises TypeError for what has no JSON form."""
    return orjson.dumps(value, default=_default).decode()


def _default(value: object) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value) if value.is_finite() else "null")
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"{type(value).__name__} is not JSON")
