"""Marshmallow fields as strict as the body reader: nothing is converted, guessed or trimmed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson
from marshmallow import ValidationError, fields, validate

from app.card_numbers import has_card_number
from app.json_numbers import is_bounded
from app.money import EXPONENTS, number_of

MESSAGES: Final[dict[str, Any]] = {
    "required": "This field is required.",
    "null": "This field may not be null.",
    "validator_failed": "This value is not valid.",
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_DIGITS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)

CARD_NUMBER: Final = "Card numbers are not accepted here (card_data_not_allowed)."
"""The message that app/http/parser.py answers with an error of its own."""

MAX_METADATA_BYTES: Final = 16_384
_TOO_WHOLE: Final = 2**63


def has_control_character(text: str) -> bool:
    """Whether it has a character that is no text: line ends, tabs, NUL and the like."""
    return bool(_CONTROL.search(text))


class _StrictField(fields.Field[Any]):
    default_error_messages = MESSAGES


class Text(_StrictField):
    """A JSON string of `min_length` to `max_length` characters without control characters."""

    def __init__(
        self, *, max_length: int = 255, min_length: int = 1, pattern: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_length = max_length
        self.min_length = min_length
        self.pattern = re.compile(pattern, re.ASCII) if pattern else None
        # Described for the OpenAPI document; checked below.
        facts: dict[str, Any] = {"type": "string", "minLength": min_length, "maxLength": max_length}
        if pattern:
            facts["pattern"] = f"^{pattern}$"
        self.metadata = {**facts, **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise ValidationError("This must be a string.")
        if len(value) > self.max_length:
            raise ValidationError(f"This is longer than {self.max_length} characters.")
        if len(value) < self.min_length:
            raise ValidationError(
                "This may not be empty."
                if self.min_length == 1
                else f"This needs {self.min_length} characters."
            )
        if has_control_character(value):
            raise ValidationError("This holds a control character.")
        if self.pattern and not self.pattern.fullmatch(value):
            raise ValidationError("This is not written as it should be.")
        return value


class FreeText(Text):
    """A text that people write, without a card number in it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if has_card_number(text):
            raise ValidationError(CARD_NUMBER)
        return text


class Choice(Text):
    """A text that is one of the given values."""

    def __init__(self, *allowed: str, **kwargs: Any) -> None:
        super().__init__(max_length=max(map(len, allowed)), **kwargs)
        self.allowed = allowed
        self.metadata = {"type": "string", "enum": list(allowed)} | {
            name: value for name, value in self.metadata.items() if name not in ("minLength", "maxLength")
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str) or value not in self.allowed:
            raise ValidationError(f"This must be one of {', '.join(self.allowed)}.")
        return value


class Flag(_StrictField):
    """JSON true or false (never 1, 0 or "true")."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "boolean", **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("This must be true or false.")
        return value


class WholeNumber(_StrictField):
    """A JSON integer (never true, 1.0 or "1") from `minimum` to `maximum`."""

    def __init__(self, *, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum
        self.metadata = {"type": "integer", "minimum": minimum, "maximum": maximum, **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if type(value) is not int or not self.minimum <= value <= self.maximum:
            raise ValidationError(f"This must be a whole number from {self.minimum} to {self.maximum}.")
        return value


class QueryNumber(WholeNumber):
    """The same in a query string: plain digits."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else None
        return super()._deserialize(number, attr, data, **kwargs)


class Amount(_StrictField):
    """An amount, a decimal string as its number, so that a retry that writes 5 as "5.00" is the same request.

    The service parses it with Money.parse, which needs the currency. Null and what is no amount pass too, so that they are
    answered like every other wrong amount (INVALID_AMOUNT).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)
        self.metadata = {
            "oneOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
            ],
            "description": "Major units: a JSON number or a decimal string, with at most the currency's decimals.",
            **self.metadata,
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        return number_of(value)


class Currency(_StrictField):
    """A currency in upper case, whatever the client wrote, any text: the service decides whether it is supported."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {
            "type": "string",
            "description": "ISO 4217, in any case.",
            "examples": [next(c for c in EXPONENTS if c == "USD")],
            **self.metadata,
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        # Nothing falsy gets through: a service takes that for "not given".
        if not isinstance(value, str) or not value:
            raise ValidationError("This must be a currency code such as USD.")
        return value.upper() if value.isascii() else value


class JsonObject(_StrictField):
    """Any JSON object up to MAX_METADATA_BYTES without a card number in it, kept as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "object", "additionalProperties": True, **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("This must be a JSON object.")
        try:
            size = len(orjson.dumps(value, default=_number))
        except TypeError:  # an integer beyond 64 bits, or what _number refused
            raise ValidationError("This holds a number that is too large.") from None
        if size > MAX_METADATA_BYTES:
            raise ValidationError(f"This is larger than {MAX_METADATA_BYTES} bytes.")
        if has_card_number(value):
            raise ValidationError(CARD_NUMBER)
        return value


def _number(value: object) -> orjson.Fragment:
    """Refuses whole numbers beyond 64 bits: the database would keep them, and nothing could write them out again."""
    if isinstance(value, Decimal) and is_bounded(value):
        if value == value.to_integral_value() and abs(value) >= _TOO_WHOLE:
            raise TypeError
        return orjson.Fragment(str(value))
    raise TypeError


class ListOf(fields.List[Any]):
    """A JSON array of `minimum` to `maximum` items, each read by `inner`."""

    default_error_messages = MESSAGES | {"invalid": "This must be a list."}

    def __init__(self, inner: fields.Field[Any], *, minimum: int = 1, maximum: int, **kwargs: Any) -> None:
        bounds = validate.Length(
            min=minimum, max=maximum, error=f"This must have {minimum} to {maximum} items."
        )
        super().__init__(inner, validate=bounds, **kwargs)
        self.minimum, self.maximum = minimum, maximum

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[Any]:
        # Counted first: a hundred thousand items are not read one by one to be refused.
        if isinstance(value, list) and len(value) > self.maximum:
            raise ValidationError(f"This must have {self.minimum} to {self.maximum} items.")
        return super()._deserialize(value, attr, data, **kwargs)
