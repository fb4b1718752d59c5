"""Reads a request's JSON body, and nothing that is almost one.

Refused with 400: no body, invalid UTF-8, a byte order mark, NaN and Infinity, a key twice in an object, nesting
deeper than MAX_DEPTH, lone surrogates, NUL characters, anything after the object, numbers longer than MAX_DIGITS or
with an exponent beyond those of app/json_numbers.py, a top level that is no object. Numbers with a point or exponent
become Decimal: no float is ever made.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final

from flask import Request

from app import json_numbers
from app.errors import InvalidBody, PayloadTooLarge, UnsupportedMediaType
from app.json_numbers import NumberOutOfRange

MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 40
"""Characters of one number: an amount has no more, and fewer than the reader of numbers allows."""

MAX_INT_DIGITS: Final = 18
"""Integers of up to so many characters fit 64 bits and are ints; longer ones are Decimals."""

_JSON_TYPE: Final = re.compile(r"application/([a-z0-9.!#$&^_-]+\+)?json", re.ASCII)


def read_object(request: Request, *, max_bytes: int, is_optional: bool = False) -> dict[str, Any]:
    """The body as a dict; `{}` for an absent body when `is_optional`.

    Raises InvalidBody, PayloadTooLarge, UnsupportedMediaType.
    """
    raw = read_bytes(request, max_bytes)
    if not raw:
        if is_optional:
            return {}
        raise InvalidBody
    _require_json_type(request)
    return parse_object(raw)


def parse_object(raw: bytes) -> dict[str, Any]:
    """`raw` as a dict, by the rules above. Raises InvalidBody."""
    try:
        text = raw.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise InvalidBody("The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidBody(f"The body is not valid JSON: {error.msg} at character {error.pos}.") from None
    except NumberOutOfRange as error:
        raise InvalidBody(f"The body holds a number that is not taken: {error}.") from None
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(value, dict):
        raise InvalidBody
    # Counting brackets costs a microsecond and spares nearly every body the walk.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _depth_exceeds(value, MAX_DEPTH):
        raise _too_deep()
    if b"\\u" in raw:
        _refuse_unstorable_text(value)
    return value


def read_bytes(request: Request, max_bytes: int) -> bytes:
    """The body as it came, empty when absent. Raises PayloadTooLarge, InvalidBody when it ends early."""
    # Not Flask's MAX_CONTENT_LENGTH: it silently cuts a chunked body at the cap.
    stream = request.environ["wsgi.input"]
    length = request.content_length
    if length is None:
        if not request.environ.get("wsgi.input_terminated"):
            return b""
        raw: bytes = stream.read(max_bytes + 1)
    else:
        if length > max_bytes:
            raise PayloadTooLarge
        raw = stream.read(length)
        if len(raw) < length:
            raise InvalidBody("The body ended early.")
    if len(raw) > max_bytes:
        raise PayloadTooLarge
    return raw


def _require_json_type(request: Request) -> None:
    # By far the commonest spelling needs no parsing.
    if request.environ.get("CONTENT_TYPE") == "application/json":
        return
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if not _JSON_TYPE.fullmatch(request.mimetype) or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise InvalidBody("The body names a key twice in one object.")
    return result


def _integer(text: str) -> int | Decimal:
    _require_short(text)
    return json_numbers.integer(text) if len(text) <= MAX_INT_DIGITS else json_numbers.decimal(text)


def _decimal(text: str) -> Decimal:
    _require_short(text)
    return json_numbers.decimal(text)


def _require_short(text: str) -> None:
    if len(text) > MAX_DIGITS:
        raise InvalidBody(f"The body holds a number of more than {MAX_DIGITS} characters.")


def _depth_exceeds(value: object, limit: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    if limit == 0:
        return True
    return any(
        _depth_exceeds(inner, limit - 1) for inner in (value.values() if isinstance(value, dict) else value)
    )


def _too_deep() -> InvalidBody:
    return InvalidBody(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _refuse_unstorable_text(value: object) -> None:
    """Escapes can spell what no database stores: NUL and half a surrogate pair."""
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidBody("The body holds a NUL character.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidBody("The body holds half a surrogate pair.") from None
    elif isinstance(value, dict):
        for key, inner in value.items():
            _refuse_unstorable_text(key)
            _refuse_unstorable_text(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_unstorable_text(inner)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=json_numbers.refuse_word,
)
