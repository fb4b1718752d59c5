"""The only source of time. SQL gets it as an argument, never from now(), so tests can move it.

It follows the database's clock (database_clock.py compares them), so that all processes judge ages by one clock, whatever their
hosts' clocks show. Between two comparisons it goes on by the process's monotonic clock: a host's clock that jumps moves nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

MAX_DIFFERENCE: Final = timedelta(seconds=5)
"""The most that the host's clock and the database's may differ, before one of them is held to be wrong."""

SMALL_DIFFERENCE: Final = timedelta(seconds=0.25)
"""What a comparison may be wrong by: so little moves nothing."""

JUMP_PAUSE_S: Final = 3600
"""So long no ages are judged after the database's clock has jumped: what is open is that much older, or younger, than it seems."""


@dataclass(frozen=True, slots=True)
class _Anchor:
    """The database's time at an instant of the monotonic clock."""

    moment: datetime
    instant: float

    def now(self) -> datetime:
        return self.moment + timedelta(seconds=time.monotonic() - self.instant)


_anchor: _Anchor | None = None
_jumped_at: float | None = None
_offset = timedelta(0)


def now() -> datetime:
    """The present moment, timezone-aware, UTC."""
    return _unmoved() + _offset


def _unmoved() -> datetime:
    return host_now() if _anchor is None else _anchor.now()


def host_now() -> datetime:
    """What the host's clock shows, which may be wrong."""
    return datetime.now(UTC)


def is_compared() -> bool:
    """Whether it follows the database's clock yet; until then it is the host's."""
    return _anchor is not None


def follow(moment: datetime, *, instant: float, doubt_s: float = 0) -> timedelta:
    """Follow the database's clock, which showed `moment` at `instant` of the monotonic clock, give or take `doubt_s` seconds.

    Returns how far that clock has jumped; zero: not at all. The first time it is the host's clock that is corrected.
    """
    global _anchor, _jumped_at  # noqa: PLW0603 the one clock of this process
    shown, expected, is_first = _Anchor(moment, instant), _unmoved(), _anchor is None
    difference = shown.now() - expected
    if abs(difference) > SMALL_DIFFERENCE + timedelta(seconds=doubt_s):
        _anchor = shown
    elif is_first:
        _anchor = _Anchor(expected, time.monotonic())
    if is_first or abs(difference) <= MAX_DIFFERENCE:
        return timedelta(0)
    _jumped_at = time.monotonic()
    return difference


def host_difference() -> timedelta:
    """How far the host's clock is ahead of the database's; negative: behind."""
    return host_now() - _unmoved()


def may_judge_ages() -> bool:
    """Whether something may be ended, given up or deleted because of its age: the clocks agree, and none has jumped lately."""
    has_jumped = _jumped_at is not None and time.monotonic() - _jumped_at < JUMP_PAUSE_S
    return abs(host_difference()) <= MAX_DIFFERENCE and not has_jumped


def travel(by: timedelta) -> None:
    """Move the clock of this process by `by` (tests only); negative moves back."""
    global _offset  # noqa: PLW0603 the one clock of this process
    _offset += by


def reset() -> None:
    """Undo every `travel`."""
    global _offset  # noqa: PLW0603 the one clock of this process
    _offset = timedelta(0)


def iso_z(moment: datetime) -> str:
    """ISO 8601 in UTC with `Z`, as the Wallet API's document shows: 2025-01-01T12:05:30.123456Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
