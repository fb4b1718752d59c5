"""The chain over the event log, and the anchors that show a cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.events import chain
from app.events.chain import Anchor, Break, Link

KEY = b"k" * 32
NOW = datetime(2026, 3, 14, 12, 0, 0, 123456, tzinfo=UTC)

Rows = list[tuple[Link, bytes]]


def _links(count: int) -> list[Link]:
    return [
        Link(seq, None, "wallet.opened", f"acc_{seq}", "usr_1", "127.0.0.1", True, '{"a": 1}', NOW)
        for seq in range(1, count + 1)
    ]


def _sealed(links: list[Link], key: bytes = KEY) -> Rows:
    rows: Rows = []
    previous = chain.GENESIS
    for link in links:
        previous = chain.seal(key, previous, link)
        rows.append((link, previous))
    return rows


def test_a_whole_log_has_no_break() -> None:
    assert chain.verify(KEY, _sealed(_links(5))) is None
    assert chain.verify(KEY, []) is None


@pytest.mark.parametrize(
    "change",
    [
        {"tenant_id": "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11"},
        {"type": "wallet.frozen"},
        {"object_id": "acc_4"},
        {"actor": "usr_2"},
        {"actor": None},
        {"address": "10.0.0.1"},
        {"address": None},
        {"is_public": False},
        {"data_text": '{"a": 2}'},
        {"data_text": '{"a":1}'},
        {"at": NOW + timedelta(microseconds=1)},
        {"actor": "usr_1127.0.0.1", "address": None},
    ],
)
def test_every_column_is_under_the_seal(change: dict[str, Any]) -> None:
    """Breaks when a column is left out of `seal`, or columns are joined without a border."""
    rows = _sealed(_links(5))
    rows[2] = (replace(rows[2][0], **change), rows[2][1])
    assert chain.verify(KEY, rows) == Break(3, "altered")


def test_another_key_seals_otherwise() -> None:
    assert chain.verify(b"x" * 32, _sealed(_links(3))) == Break(1, "altered")


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_a_missing_row_is_named(gone: int) -> None:
    rows = _sealed(_links(5))
    del rows[gone]
    assert chain.verify(KEY, rows) == Break(gone + 1, "missing")


def test_renumbering_after_a_removal_does_not_help() -> None:
    rows = _sealed(_links(5))
    del rows[2]
    moved = [(replace(link, seq=seq), sealed) for seq, (link, sealed) in enumerate(rows, 1)]
    assert chain.verify(KEY, moved) == Break(3, "altered")


def test_swapped_rows_are_found() -> None:
    rows = _sealed(_links(5))
    rows[1], rows[2] = (replace(rows[2][0], seq=2), rows[2][1]), (replace(rows[1][0], seq=3), rows[1][1])
    assert chain.verify(KEY, rows) == Break(2, "altered")


def test_a_cut_tail_is_seen_by_the_anchor_only() -> None:
    rows = _sealed(_links(5))
    anchors = [Anchor(2, rows[1][1]), Anchor(5, rows[4][1])]
    assert chain.verify(KEY, rows, anchors=anchors) is None
    assert chain.verify(KEY, rows[:3]) is None
    assert chain.verify(KEY, rows[:3], anchors=anchors) == Break(4, "cut: an anchor saw row 5")
    assert chain.verify(KEY, [], anchors=anchors) == Break(1, "cut: an anchor saw row 5")


def test_rewritten_log_is_detected_by_the_anchor() -> None:
    """An attacker with the key rewrites the log: the chain is consistent again, the anchor is not."""
    anchors = [Anchor(4, _sealed(_links(5))[3][1])]
    anew = _sealed([replace(link, actor="usr_other") for link in _links(5)])
    assert chain.verify(KEY, anew) is None
    found = chain.verify(KEY, anew, anchors=anchors)
    assert found is not None
    assert found.seq == 4
    assert found.reason.startswith("altered")


def test_anchors_are_appended_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    assert list(chain.read_anchors(folder)) == []
    for seq in (3, 9):
        chain.write_anchor(folder, Anchor(seq, bytes([seq]) * 32), NOW)
    assert list(chain.read_anchors(folder)) == [Anchor(3, b"\x03" * 32), Anchor(9, b"\x09" * 32)]
    assert folder.stat().st_mode & 0o077 == 0


def test_an_anchor_torn_by_a_crash_hides_no_other(tmp_path: Path) -> None:
    """A power cut in the middle of a line: it and only it is lost, and the next line is whole again."""
    chain.write_anchor(tmp_path, Anchor(3, b"\x03" * 32), NOW)
    with (tmp_path / "anchors.log").open("a") as file:
        file.write("2026-03-14T12:01:00+00:00 7 0707")
    chain.write_anchor(tmp_path, Anchor(9, b"\x09" * 32), NOW)
    assert list(chain.read_anchors(tmp_path)) == [Anchor(3, b"\x03" * 32), Anchor(9, b"\x09" * 32)]
