"""Processor time by part of the stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil

Groups = Callable[[], Mapping[str, list[int]]]
"""Part → its processes, looked up again for every reading."""


class Meter:
    """Seconds of processor time each part used between two readings."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._readings: list[dict[str, dict[int, float]]] = []

    def read(self) -> None:
        self._readings.append(
            {
                part: {pid: used for pid in pids if (used := _used_s(pid)) is not None}
                for part, pids in self._groups().items()
            }
        )

    def between(self) -> dict[str, float]:
        """From the first reading to the last. A process that ended meanwhile counts as if it had done nothing."""
        first, last = self._readings[0], self._readings[-1]
        return {
            part: sum(used - first.get(part, {}).get(pid, 0.0) for pid, used in now.items())
            for part, now in last.items()
        }


def process_tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    return []


def _used_s(pid: int) -> float | None:
    with suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system
    return None
