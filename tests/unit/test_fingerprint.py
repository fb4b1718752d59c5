"""A body's fingerprint: equal for equal bodies, however they are spelt."""

from __future__ import annotations

import pytest

from app.http.idempotency import fingerprint
from app.http.strict_json import parse_object


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":2}', b'{ "b":2, "a":1 }'),
        (b'{"amount":100}', b'{"amount":100.00}'),
        (b'{"amount":1.5}', b'{"amount":1.50}'),
        (b'{"amount":100}', b'{"amount":1e2}'),
        (b'{"a":"\\u0041"}', b'{"a":"A"}'),
        (b'{"a":0}', b'{"a":-0.00}'),
        (b'{"a":123456789012345678}', b'{"a":123456789012345678.0}'),
        (b'{"a":1234567890123456789}', b'{"a":1234567890123456789.0}'),
        (b'{"a":10000000000000000000}', b'{"a":1e19}'),
        (b'{"a":-12}', b'{"a":-1.2e1}'),
    ],
)
def test_the_same(one: bytes, other: bytes) -> None:
    assert fingerprint(parse_object(one)) == fingerprint(parse_object(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1}', b'{"a":2}'),
        (b'{"a":1}', b'{"a":"1"}'),
        (b'{"a":1}', b'{"a":true}'),
        (b'{"a":null}', b"{}"),
        (b'{"a":[1,2]}', b'{"a":[2,1]}'),
        (b'{"a":1.5}', b'{"a":"1.5"}'),
        (b'{"a":-1}', b'{"a":1}'),
        (b'{"a":0.1}', b'{"a":1}'),
        (b'{"a":1e1}', b'{"a":1e2}'),
        (b'{"a":{"b":1}}', b'{"a":{"b":1.01}}'),
        (b'{"a":100000000000000000000}', b'{"a":100000000000000000001}'),
        (b'{"a":100000000000000000000.1}', b'{"a":100000000000000000000.2}'),
        (b'{"a":0.1234567890123456789012345678901}', b'{"a":0.1234567890123456789012345678902}'),
    ],
)
def test_another(one: bytes, other: bytes) -> None:
    assert fingerprint(parse_object(one)) != fingerprint(parse_object(other))
