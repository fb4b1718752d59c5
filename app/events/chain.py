"""The chain over the event log: each row's HMAC covers its content and the HMAC before it.

The key lives outside the database (setting AUDIT_KEY), so that access to the database is not enough to change a row and its HMAC. What a
chain alone cannot show, that its end was cut off, the anchor shows: the head, written to a file every minute.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import orjson

GENESIS: Final = bytes(32)
"""The HMAC before the first row."""

_ANCHOR_LINE: Final = re.compile(r"\S+ (\d+) ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Link:
    """An event as the chain sees it. `data_text` is the database's own text of the jsonb value."""

    seq: int
    tenant_id: str | None
    type: str
    object_id: str
    actor: str | None
    address: str | None
    is_public: bool
    data_text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Break:
    """Where the log and its chain disagree first."""

    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last event of the log at the time of writing."""

    seq: int
    hmac: bytes


def seal(key: bytes, previous: bytes, link: Link) -> bytes:
    """32 bytes over the previous HMAC and every column of the row."""
    content = orjson.dumps(
        [
            link.seq,
            link.tenant_id,
            link.type,
            link.object_id,
            link.actor,
            link.address,
            link.is_public,
            link.data_text,
            round(link.at.timestamp() * 1_000_000),
        ]
    )
    return hmac.digest(key, previous + content, hashlib.sha256)


def verify(key: bytes, rows: Iterable[tuple[Link, bytes]], *, anchors: Iterable[Anchor] = ()) -> Break | None:
    """The first row that is missing, altered or cut off; None when the log is whole. `rows` ascend by seq."""
    expected = {anchor.seq: anchor.hmac for anchor in anchors}
    previous, count = GENESIS, 0
    for link, sealed in rows:
        count += 1
        if link.seq != count:
            return Break(count, "missing")
        if not hmac.compare_digest(seal(key, previous, link), sealed):
            return Break(count, "altered")
        if count in expected and not hmac.compare_digest(expected[count], sealed):
            return Break(count, "altered: the whole log was written anew up to here, the anchor differs")
        previous = sealed
    if expected and max(expected) > count:
        return Break(count + 1, f"cut: an anchor saw row {max(expected)}")
    return None


def write_anchor(folder: Path, anchor: Anchor, at: datetime) -> None:
    """Append one line to `folder`/anchors.log, durably. A line that was left incomplete by a crash stays a line of its own."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "anchors.log").open("ab+") as file:
        is_torn = file.tell() > 0 and not _ends_a_line(file)
        line = f"{at.isoformat()} {anchor.seq} {anchor.hmac.hex()}\n"
        file.write(("\n" * is_torn + line).encode("ascii"))
        file.flush()
        os.fsync(file.fileno())


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def read_anchors(folder: Path) -> Iterator[Anchor]:
    """Every whole anchor ever written, oldest first; none when there is no file."""
    path = folder / "anchors.log"
    if not path.exists():
        return
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        if whole := _ANCHOR_LINE.fullmatch(line):
            yield Anchor(int(whole[1]), bytes.fromhex(whole[2]))
