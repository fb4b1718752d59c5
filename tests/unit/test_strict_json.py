"""What is JSON here, and what is almost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.errors import InvalidBody
from app.http.strict_json import MAX_DEPTH, parse_object

REFUSED = {
    "nothing": b"",
    "space": b"  ",
    "list": b"[]",
    "string": b'"x"',
    "number": b"1",
    "null": b"null",
    "half an object": b'{"a":',
    "single quotes": b"{'a':1}",
    "trailing comma": b'{"a":1,}',
    "comment": b'{"a":1} // x',
    "rubbish after it": b"{} x",
    "two objects": b"{}{}",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "Latin-1": '{"a":"é"}'.encode("latin-1"),
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "minus Infinity": b'{"a":-Infinity}',
    "a key twice": b'{"a":1,"a":2}',
    "a key twice, deep": b'{"b":[{"a":1,"a":1}]}',
    "a key twice, spelt differently": b'{"a":1,"\\u0061":2}',
    "NUL, raw": b'{"a":"\x00"}',
    "NUL, escaped": b'{"a":"\\u0000"}',
    "NUL in a key": b'{"\\u0000":1}',
    "raw control character": b'{"a":"\x1f"}',
    "high surrogate": b'{"a":"\\ud800"}',
    "low surrogate": b'{"a":["\\udc00"]}',
    "leading zero": b'{"a":01}',
    "plus": b'{"a":+1}',
    "hexadecimal": b'{"a":0x10}',
    "41 digits": b'{"a":' + b"1" * 41 + b"}",
    "41 decimals": b'{"a":0.' + b"1" * 41 + b"}",
    "5,000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "too deep": b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
    "too deep, lists": b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    "far too deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "far too deep, unclosed": b"[" * 100_000,
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_refused(raw: bytes) -> None:
    with pytest.raises(InvalidBody):
        parse_object(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b' {"a" : 1 } \n', {"a": 1}),
        (b'{"a":1.10}', {"a": Decimal("1.10")}),
        (b'{"a":1e2}', {"a": Decimal("1E+2")}),
        (b'{"a":true,"b":null}', {"a": True, "b": None}),
        ('{"a":"é😀"}'.encode(), {"a": "é😀"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a":[{"b":1},{"b":1}]}', {"a": [{"b": 1}, {"b": 1}]}),
        (b'{"a":' + b"1" * 40 + b"}", {"a": int("1" * 40)}),
        (b'{"a":"' + b"[" * 100 + b'"}', {"a": "[" * 100}),
    ],
)
def test_taken(raw: bytes, value: object) -> None:
    assert parse_object(raw) == value


def test_the_deepest_that_is_taken() -> None:
    raw = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    assert parse_object(raw)
    wide = b'{"a":[' + b",".join([b"{}"] * 1000) + b"]}"  # many brackets, two deep
    assert len(parse_object(wide)["a"]) == 1000


def test_no_float_is_ever_made() -> None:
    value = parse_object(b'{"a":0.1,"b":1e-5,"c":-0.0}')
    assert all(type(number) is Decimal for number in value.values())
    assert value["a"] + value["a"] + value["a"] == Decimal("0.3")
