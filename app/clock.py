"""The only source of time. SQL gets it as an argument, never from now(), so tests can move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_offset = timedelta(0)


def now() -> datetime:
    """The present moment, timezone-aware, UTC."""
    return datetime.now(UTC) + _offset


def travel(by: timedelta) -> None:
    """Move the clock of this process by `by` (tests only); negative moves back."""
    global _offset  # noqa: PLW0603 the one clock of this process
    _offset += by


def reset() -> None:
    """Return to the machine's time."""
    global _offset  # noqa: PLW0603 the one clock of this process
    _offset = timedelta(0)


def iso_z(moment: datetime) -> str:
    """ISO 8601 in UTC with `Z`, as the Wallet API's document shows: 2025-01-01T12:05:30.123456Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
