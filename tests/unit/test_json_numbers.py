"""The reader of bounded numbers: what it takes, what it refuses, and that it is quick about both."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app import json_numbers
from app.json_numbers import MAX_CHARACTERS, MAX_EXPONENT, NumberOutOfRange
from app.json_text import json_text
from app.providers.http import dumps
from tests.support.hostile_numbers import LIMIT_S, NUMBERS, seconds

TAKEN = {"20 digits", "100 digits"}
BINARY_TENTH = "0.1000000000000000055511151231257827021181583404541015625"
"""How some languages print 0.1."""


@pytest.mark.parametrize("number", [NUMBERS[name] for name in NUMBERS if name not in TAKEN])
@pytest.mark.parametrize("shape", ["#", "[#]", '{"a":[{"b":#}]}'])
def test_refused(number: str, shape: str) -> None:
    def read() -> str:
        with pytest.raises(NumberOutOfRange) as refused:
            json_numbers.loads(shape.replace("#", number))
        return str(refused.value)

    took, sentence = seconds(read)
    assert took < LIMIT_S and "number" in sentence


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-0", 0),
        ("18446744073709551616", 2**64),
        ("9" * MAX_CHARACTERS, 10**MAX_CHARACTERS - 1),
        ("1.10", Decimal("1.10")),
        ("1e2", Decimal("1E+2")),
        ("-1.5E-7", Decimal("-1.5E-7")),
        ("0e3", Decimal("0E+3")),
        (f"1e{MAX_EXPONENT}", Decimal(f"1E+{MAX_EXPONENT}")),
        (f"9.9e-{MAX_EXPONENT}", Decimal(f"9.9E-{MAX_EXPONENT}")),
        (f"0.{'1' * (MAX_CHARACTERS - 2)}", Decimal(f"0.{'1' * (MAX_CHARACTERS - 2)}")),
        (BINARY_TENTH, Decimal(BINARY_TENTH)),
    ],
)
def test_taken(text: str, value: object) -> None:
    read = json_numbers.loads(text)
    assert read == value and type(read) is type(value)
    assert json_numbers.loads(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        f"1e{MAX_EXPONENT + 1}",
        f"10e{MAX_EXPONENT}",
        f"9.9e-{MAX_EXPONENT + 1}",
        f"0e{MAX_EXPONENT + 1}",
        "9" * (MAX_CHARACTERS + 1),
    ],
)
def test_just_beyond(text: str) -> None:
    with pytest.raises(NumberOutOfRange):
        json_numbers.loads(text)


@pytest.mark.parametrize(
    "document", [b"", b"{", b"\xff\xfe\xff", b"[" * 100_000, b'{"a":' * 20_000, b"1e", b"01"]
)
def test_what_is_no_json_is_one_kind_of_error(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        json_numbers.loads(document)


def test_fractions_may_become_floats() -> None:
    read = json_numbers.loads('{"a":[1,0.5,1e300]}', fraction=float)
    assert read == {"a": [1, 0.5, 1e300]} and [type(number) for number in read["a"]] == [int, float, float]
    with pytest.raises(NumberOutOfRange):
        json_numbers.loads("1e400", fraction=float)  # not infinity, which is no JSON


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (Decimal("7"), 7),
        (Decimal("7.00"), 7),
        (Decimal("7E2"), 700),
        (Decimal("-0.0"), 0),
        (Decimal("7.5"), None),
        (Decimal("1E-300"), None),
        (True, None),
        ("7", None),
        (7.0, None),
        (None, None),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("Infinity"), None),
        (Decimal("1E+1999999"), None),
        (Decimal("1E-1999999"), None),
        (Decimal("0E+1999999"), None),
    ],
)
def test_whole(value: object, number: int | None) -> None:
    took, found = seconds(lambda: json_numbers.whole(value))
    assert found == number and took < LIMIT_S


@pytest.mark.parametrize(
    "value", [Decimal("1E+1999999"), Decimal("1E-1999999"), Decimal("NaN"), Decimal("-Infinity")]
)
def test_writers_expand_nothing(value: Decimal) -> None:
    """The database's writer has to write whatever was kept; a provider is never sent such a number."""
    for beside in (1, 2**70):
        took, text = seconds(lambda: json_text({"a": value, "b": beside}).replace(" ", ""))  # noqa: B023
        assert text == f'{{"a":null,"b":{beside}}}' and took < LIMIT_S
    with pytest.raises(NumberOutOfRange):
        dumps({"a": value})


def test_writers_keep_what_is_a_number() -> None:
    assert json_text({"a": Decimal("1.10"), "b": 2**70}) == '{"a": 1.1, "b": 1180591620717411303424}'
    assert dumps({"a": Decimal("1.10"), "b": Decimal("5.00")}) == b'{"a":1.1,"b":5}'
