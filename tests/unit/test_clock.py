"""One source of time, movable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from app import clock


def test_the_clock_moves_and_comes_back() -> None:
    machine = datetime.now(UTC)
    clock.travel(timedelta(days=2))
    clock.travel(timedelta(hours=-1))
    assert timedelta(hours=46) < clock.now() - machine < timedelta(hours=48)
    clock.reset()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_time_is_written_in_utc_with_a_z() -> None:
    moment = datetime(2025, 1, 1, 15, 5, 30, 123456, tzinfo=timezone(timedelta(hours=3)))
    assert clock.iso_z(moment) == "2025-01-01T12:05:30.123456Z"
    assert clock.iso_z(datetime(2025, 1, 1, tzinfo=UTC)) == "2025-01-01T00:00:00Z"
