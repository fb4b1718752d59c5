"""Finds payment card numbers in text, so that none is stored: this gateway takes no card data (PCI DSS)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

MIN_DIGITS: Final = 13
MAX_DIGITS: Final = 19

MAX_PHONE_DIGITS: Final = 15
"""Of an international number (E.164), which is written with a plus."""

_UUID: Final = re.compile(r"(?i)(?<!\w)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?!\w)")

_GROUP: Final = re.compile(r"(?<![^\W_])\d+(?![^\W_])")
"""Digits without a letter beside them: those of hexadecimal ids and of references are none."""

_SEPARATORS: Final = frozenset(" -\u00a0\u2007\u2009\u202f\u2010\u2011\u2012\u2013\u2014")

_OF_16_DIGITS_OR_MORE: Final = re.compile(r"2[2-7]")


def has_card_number(value: object) -> bool:
    """Whether a JSON value holds one, at any depth, in keys too: 13 to 19 digits with at most one space or hyphen between
    two of them, that begin as cards do and have a correct check digit (Luhn)."""
    if isinstance(value, str):
        return _is_in_text(value)
    if isinstance(value, dict):
        return any(_is_in_text(key) or has_card_number(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(has_card_number(inner) for inner in value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _is_in_text(f"{value:f}" if isinstance(value, Decimal) else str(value))
    return False


def _is_in_text(text: str) -> bool:
    if len(text) < MIN_DIGITS:
        return False
    return any(_is_card_number(digits) for digits in _candidates(_UUID.sub("id", text)))


def _candidates(text: str) -> Iterator[str]:
    """Every run of whole groups of digits that has a card number's length."""
    groups = list(_GROUP.finditer(text))
    for start, first in enumerate(groups):
        digits, end = "", first.start()
        for group in groups[start:]:
            if digits and not (group.start() == end + 1 and text[end] in _SEPARATORS):
                break
            digits, end = digits + group.group(), group.end()
            if len(digits) > MAX_DIGITS:
                break
            is_phone = text[: first.start()].endswith("+") and len(digits) <= MAX_PHONE_DIGITS
            if len(digits) >= MIN_DIGITS and not is_phone:
                yield digits


def _is_card_number(digits: str) -> bool:
    # Digits of any script are read as what they mean.
    plain = "".join(str(int(digit)) for digit in digits)
    return _begins_like_a_card(plain) and _luhn_sum(plain) % 10 == 0


def _begins_like_a_card(digits: str) -> bool:
    """No card begins with 0 or 1, and with 2 only from 22 to 27 with 16 digits or more: times in milliseconds, dates
    and most phone numbers of Africa are none."""
    if digits[0] == "2":
        return len(digits) >= 16 and _OF_16_DIGITS_OR_MORE.match(digits) is not None
    return digits[0] >= "3"


def _luhn_sum(digits: str) -> int:
    numbers = [int(digit) for digit in reversed(digits)]
    doubled = [2 * number - 9 if number > 4 else 2 * number for number in numbers[1::2]]
    return sum(numbers[::2]) + sum(doubled)
