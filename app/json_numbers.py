"""Reads JSON whose numbers are bounded: the one reader of what comes from clients, providers and merchants of simulators.

`1e1999999` has nine characters and two million digits: `int()` of it takes a minute, in which the process serves no other request.
`Decimal` itself refuses an exponent of 19 digits with an error that is no ValueError, and PostgreSQL one of six. So a
number is bounded where it is read; nothing that was read here is expensive to add, compare, round, print or store.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MAX_CHARACTERS: Final = 100
"""Of one number. An amount that a provider computes in binary and prints exactly has about 60."""

MAX_EXPONENT: Final = 300
"""Powers of ten, up or down, of a number's first digit: nearly what a double can hold."""


class NumberOutOfRange(ValueError):
    """A number with too many digits or too large an exponent, or a word such as NaN."""


def loads(
    document: str | bytes,
    *,
    fraction: Callable[[Decimal], Any] | None = None,
    is_unreadable_none: bool = False,
) -> Any:
    """`document` as Python values: whole numbers are int, those with a point or an exponent Decimal.

    `fraction` makes something else of the latter, such as `float`. is_unreadable_none: a number that is out of bounds, or a word such
    as NaN, is None. Raises ValueError for whatever cannot be read, nesting that is too deep included.
    """
    make: Callable[[str], Any] = (lambda text: fraction(decimal(text))) if fraction else decimal
    readers: tuple[Callable[[str], Any], ...] = (integer, make, refuse_word)
    if is_unreadable_none:
        readers = tuple(map(_or_none, readers))
    whole_number, number, word = readers
    try:
        return json.loads(document, parse_int=whole_number, parse_float=number, parse_constant=word)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def integer(text: str) -> int:
    """The whole number that JSON writes as `text`. Raises NumberOutOfRange."""
    _require_short(text)
    return int(text)


def decimal(text: str) -> Decimal:
    """The number that JSON writes as `text`. Raises NumberOutOfRange."""
    _require_short(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise NumberOutOfRange("this is no number, or its exponent is too large") from None
    if not is_bounded(number):
        raise NumberOutOfRange(f"the exponent of a number is at most {MAX_EXPONENT}")
    return number


def refuse_word(text: str) -> None:
    """`NaN`, `Infinity` and `-Infinity`, which Python's reader takes. Raises NumberOutOfRange."""
    raise NumberOutOfRange(f"{text} is no number")


def is_bounded(number: Decimal) -> bool:
    """Whether `number` is finite and within MAX_EXPONENT."""
    return number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT


def whole(value: object) -> int | None:
    """The whole number that `value` is, written with a point (`1.0`) or an exponent or without; None: it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, Decimal) or not is_bounded(value) or value != value.to_integral_value():
        return None
    return int(value)


def plain(number: Decimal) -> int | float:
    """`number` for Python's JSON writer: whole as int, else the nearest float. Raises NumberOutOfRange."""
    if not is_bounded(number):
        raise NumberOutOfRange("this number cannot be written as JSON")
    found = whole(number)
    return float(number) if found is None else found


def _or_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def tolerant(text: str) -> Any:
        try:
            return read(text)
        except NumberOutOfRange:
            return None

    return tolerant


def _require_short(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise NumberOutOfRange(f"a number has at most {MAX_CHARACTERS} characters")
