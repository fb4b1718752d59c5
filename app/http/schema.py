"""Base of every schema: unknown fields are refused, messages are sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import marshmallow as ma


class Schema(ma.Schema):
    """What a route takes. The order of fields is the order of error messages and of the OpenAPI document."""

    examples: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Name → a body that is valid, for the OpenAPI document; every schema of a body that has fields has some."""

    class Meta:
        unknown = ma.RAISE

    error_messages = {  # noqa: RUF012 marshmallow reads a plain class attribute
        "unknown": "This field is not known here.",
        "type": "This must be a JSON object.",
    }


class Nothing(Schema):
    """A body that may be absent, and has no fields."""
