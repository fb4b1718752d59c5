"""Fields of the Processing API: strict, and each refusal has one of document 003's codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import marshmallow as ma
from marshmallow import ValidationError

from app.api.processing.coded import Coded
from app.card_numbers import has_card_number
from app.http import fields, schema

EMPTY_BODY: Final = Coded("invalid_body", "The request body must not be empty.")
UNKNOWN: Final = Coded("unknown_field", "This field is not known here.")


class Schema(schema.Schema):
    """What a route takes."""

    error_messages = {  # noqa: RUF012 marshmallow reads a plain class attribute
        "unknown": UNKNOWN,
        "type": Coded("invalid_body", "The request body must be a JSON object."),
    }


class BodySchema(Schema):
    """A body that may not be empty."""

    @ma.pre_load
    def _require_content(self, data: Mapping[str, Any], **_: Any) -> Mapping[str, Any]:
        if not data:
            raise ValidationError(EMPTY_BODY)
        return data


class NoFields(Schema):
    """A body that may be absent, and has no fields."""


class Field(ma.fields.Field[Any]):
    """A field that names itself in its refusals; null is as good as nothing."""

    def _bind_to_schema(self, field_name: str, parent: Any) -> None:
        super()._bind_to_schema(field_name, parent)
        missing = Coded("required", f"The '{self.name}' field is required.")
        self.error_messages = self.error_messages | {"required": missing, "null": missing}

    def refusal(self, code: str, what: str) -> ValidationError:
        """`what` follows the field's name: "must be a string."."""
        return ValidationError(Coded(code, f"The '{self.name}' field {what}"))


class Text(Field):
    """A JSON string that is not blank, of at most `max_length` characters, without control characters and card numbers."""

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length
        self.metadata = {"type": "string", "minLength": 1, "maxLength": max_length, **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise self.refusal("invalid_type", "must be a string.")
        if not value.strip():
            raise self.refusal("empty_value", "must not be empty.")
        if len(value) > self.max_length:
            raise self.refusal("too_long", f"must not be longer than {self.max_length} characters.")
        if fields.has_control_character(value):
            raise self.refusal("invalid_value", "must not hold a control character.")
        if has_card_number(value):
            raise ValidationError(Coded("card_data_not_allowed", fields.CARD_NUMBER))
        return value


class Choice(Field):
    """A JSON string that is one of the given values."""

    def __init__(self, *allowed: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed = allowed
        self.metadata = {"type": "string", "enum": list(allowed), **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise self.refusal("invalid_type", "must be a string.")
        if value not in self.allowed:
            raise self.refusal("invalid_value", f"must be one of: {', '.join(self.allowed)}.")
        return value


class QueryNumber(Field):
    """Plain digits in a query, from `minimum` to `maximum`."""

    def __init__(self, *, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum
        self.metadata = {"type": "integer", "minimum": minimum, "maximum": maximum, **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19
        if not is_number or not self.minimum <= int(value) <= self.maximum:
            raise self.refusal(
                "invalid_value", f"must be a whole number from {self.minimum} to {self.maximum}."
            )
        return int(value)
