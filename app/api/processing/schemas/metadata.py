"""The `metadata` of a payment."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from marshmallow import ValidationError

from app.api.processing.coded import Coded
from app.api.processing.schemas.fields import Field
from app.card_numbers import has_card_number
from app.http.fields import CARD_NUMBER, has_control_character
from app.json_numbers import is_bounded

MAX_KEYS: Final = 20
MAX_KEY: Final = 40
MAX_VALUE: Final = 500
"""Characters of a key and of a value."""

_TOO_WHOLE: Final = 2**63


class Metadata(Field):
    """A JSON object of at most MAX_KEYS strings, numbers and booleans."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {
            "type": "object",
            "maxProperties": MAX_KEYS,
            "propertyNames": {"minLength": 1, "maxLength": MAX_KEY},
            "additionalProperties": {
                "anyOf": [{"type": "string", "maxLength": MAX_VALUE}, {"type": "number"}, {"type": "boolean"}]
            },
            **self.metadata,
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.refusal("invalid_type", "must be an object.")
        if len(value) > MAX_KEYS:
            raise self.refusal("too_many_keys", f"must not have more than {MAX_KEYS} keys.")
        refused = {key[:MAX_KEY]: [found] for key, inner in value.items() if (found := _refusal(key, inner))}
        if refused:
            raise ValidationError(refused)
        return value


def _refusal(key: str, value: object) -> Coded | None:
    if not 0 < len(key) <= MAX_KEY or has_control_character(key):
        return Coded("invalid_key", f"A metadata key has 1 to {MAX_KEY} characters.")
    if isinstance(value, str):
        return _refusal_of_text(value)
    if isinstance(value, bool):
        return None
    if not isinstance(value, int | Decimal) or not _is_storable(Decimal(value)):
        return Coded("invalid_value_type", "A metadata value is a string, a number or a boolean.")
    return Coded("card_data_not_allowed", CARD_NUMBER) if has_card_number(value) else None


def _refusal_of_text(value: str) -> Coded | None:
    if len(value) > MAX_VALUE:
        return Coded("too_long", f"A metadata value has at most {MAX_VALUE} characters.")
    return Coded("card_data_not_allowed", CARD_NUMBER) if has_card_number(value) else None


def _is_storable(value: Decimal) -> bool:
    """Whole numbers beyond 64 bits could be kept, and not be written out again."""
    return is_bounded(value) and (value != value.to_integral_value() or abs(value) < _TOO_WHOLE)
