"""What schemas of answers are made of. They document answers and never make them: presenters do.

Answers are open: they may gain fields, and clients must not mind (docs/api/openapi.md). Requests are closed (Schema).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import marshmallow as ma


class Answer(ma.Schema):
    """An object in an answer. Every field is always there, except those in `optional`."""

    optional: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        unknown = ma.EXCLUDE  # documented as open

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        field_obj.required = field_name not in self.optional


class Time(ma.fields.String):
    """ISO 8601 in UTC, ending in `Z`."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"format": "date-time", "examples": ["2025-01-01T12:05:30Z"]} | kwargs.pop("metadata", {})
        super().__init__(metadata=metadata, **kwargs)


class Amount(ma.fields.String):
    """Major units with the currency's decimals, as text."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": AMOUNT_PATTERN, "examples": ["1000.00"]} | kwargs.pop("metadata", {})
        super().__init__(metadata=metadata, **kwargs)


AMOUNT_PATTERN: Final = r"^-?\d+(\.\d+)?$"


def one_of(*allowed: str, **metadata: Any) -> ma.fields.String:
    """A text that is one of the given values."""
    return ma.fields.String(metadata={"enum": list(allowed), **metadata})


class OneOf(ma.fields.Raw):
    """An object of one of these schemas."""

    def __init__(self, *schemas: type[Answer], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schemas = schemas
