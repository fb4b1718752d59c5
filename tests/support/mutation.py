"""Messages with one thing changed: what a provider might send one day, and what an attacker tries."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

LONG: Final = "x" * 300

ODD_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**40,
    "",
    " ",
    "0",
    "\u0000",
    "\ud800",
    "1,700.00",
    LONG,
    [],
    {},
    [{}],
    {"id": 1},
)
"""In place of any member, whatever its type."""

_DEEP: Final = b'{"data":' * 900 + b"{}" + b"}" * 900

NO_MESSAGES: Final = (
    b"",
    b" ",
    b"{",
    b"null",
    b"1",
    b"[]",
    b'"x"',
    b"NaN",
    b"\x00",
    b"\xff\xfe",
    b"a=b&c=%00",
    b'{"a":1e999999}',
    b'{"data":"\\ud800"}',
    _DEEP,
)
"""Bodies that no provider sends."""

Path = tuple[str | int, ...]


def mutated_json(body: bytes, count: int, rng: random.Random) -> list[bytes]:
    """`count` variants of a JSON body: a member replaced, removed, put into a list or under another name, or bytes changed."""
    document = json.loads(body)
    paths = list(_paths(document))
    ways: tuple[Callable[[Any, Path], None], ...] = (
        lambda copied, path: _replace(copied, path, rng.choice(ODD_VALUES)),
        _remove,
        lambda copied, path: _replace(copied, path, [_at(copied, path)]),
        _rename,
    )
    # There are many values, and one way of each other kind.
    weights = (2, 1, 1, 1)
    variants = []
    for number in range(count):
        if number % 10 == 9:
            variants.append(_with_other_bytes(body, rng))
            continue
        copied = copy.deepcopy(document)
        (way,) = rng.choices(ways, weights)
        way(copied, paths[number % len(paths)] if number < len(paths) else rng.choice(paths))
        variants.append(json.dumps(copied).encode())
    return variants


def mutated_query(query: str, count: int, rng: random.Random) -> list[str]:
    """`count` variants of a query string: a parameter replaced, removed, or given twice."""
    pairs = parse_qsl(query, keep_blank_values=True)
    variants = []
    for number in range(count):
        index = rng.randrange(len(pairs))
        name, value = pairs[index]
        other = (name, rng.choice(("", " ", "\x00", "\udcff", LONG, "0", value.upper(), f"{value} ")))
        before, after = pairs[:index], pairs[index + 1 :]
        changed = ([*before, other, *after], [*before, *after], [*pairs, other])[number % 3]
        variants.append(urlencode(changed, errors="surrogateescape"))
    return variants


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield (*path, key)
        yield from _paths(child, (*path, key))


def _at(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


def _replace(document: Any, path: Path, value: Any) -> None:
    _at(document, path[:-1])[path[-1]] = value


def _remove(document: Any, path: Path) -> None:
    del _at(document, path[:-1])[path[-1]]


def _rename(document: Any, path: Path) -> None:
    parent, key = _at(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[str(key).swapcase()] = parent.pop(key)


def _with_other_bytes(body: bytes, rng: random.Random) -> bytes:
    cut = rng.randrange(len(body))
    return rng.choice((body[:cut], body[:cut] + bytes([rng.randrange(256)]) + body[cut + 1 :], body + body))
