"""Ends what the tests of a folder share when the folder's last test is over, not at the end of the run.

Idle processes take their part of a core from every test that follows. (pytest's scope `package` ends with the run here: the
folders of tests are no packages.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_waiting: list[tuple[Path, Callable[[], None]]] = []


def call_at_end_of(folder: Path, callback: Callable[[], None]) -> None:
    """Call it after the last test below `folder` in this process."""
    _waiting.append((folder, callback))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    parents = nextitem.path.parents if nextitem is not None else ()
    for entry in [entry for entry in _waiting if entry[0] not in parents]:
        _waiting.remove(entry)
        entry[1]()
