"""Which tests xdist gives to one worker: those of a file, and those of files that share running processes.

Otherwise several workers start the same processes, each for a part of these files.
"""

from __future__ import annotations

from typing import Any

import pytest

TOGETHER = {
    "the demo": ("tests/contract/gateway/", "tests/contract/wallet/", "tests/contract/test_"),
    "both servers of Socket.IO": ("tests/contract/realtime/",),
    "the stack of races": ("tests/faults/test_one_",),
    "the stack whose parts are killed": ("tests/faults/test_killed_", "tests/faults/test_re"),
}
"""What is shared → how the names of the files that share it begin."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile`, with some files together."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _shared_by(nodeid) or super()._split_scope(nodeid)

    return Scheduling(config, log)


def _shared_by(nodeid: str) -> str | None:
    return next((shared for shared, begins in TOGETHER.items() if nodeid.startswith(begins)), None)
