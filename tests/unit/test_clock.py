"""One source of time, movable."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

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


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has compared nothing yet."""
    monkeypatch.setattr(clock, "_anchor", None)
    monkeypatch.setattr(clock, "_jumped_at", None)


@pytest.mark.usefixtures("fresh")
def test_the_databases_clock_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the host's clock moves the application's, or when a wrong host is trusted with ages."""
    theirs = datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.follow(theirs, instant=time.monotonic()) == timedelta(0), "a wrong host is no jump"
    assert timedelta(0) <= clock.now() - theirs < timedelta(seconds=60)
    assert not clock.may_judge_ages()
    monkeypatch.setattr(clock, "host_now", lambda: theirs)
    assert clock.may_judge_ages() or clock.now() - theirs > clock.MAX_DIFFERENCE


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("by", [timedelta(days=1), timedelta(days=-1)])
def test_ages_are_not_judged_after_a_jump_of_both(by: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when host and database are one machine, whose clock is set: they agree, and a payment is a day older at once."""
    clock.follow(datetime.now(UTC), instant=time.monotonic())
    assert clock.may_judge_ages()
    monkeypatch.setattr(clock, "host_now", lambda: datetime.now(UTC) + by)
    jump = clock.follow(clock.host_now(), instant=time.monotonic())
    assert abs(jump - by) < timedelta(seconds=1)
    assert abs(clock.host_difference()) < timedelta(seconds=1)
    assert not clock.may_judge_ages()
    monkeypatch.setattr(clock, "_jumped_at", time.monotonic() - clock.JUMP_PAUSE_S)
    assert clock.may_judge_ages()


@pytest.mark.usefixtures("fresh")
def test_small_differences_move_nothing() -> None:
    before = clock.now()
    clock.follow(datetime.now(UTC) - timedelta(seconds=0.2), instant=time.monotonic())
    assert clock.now() >= before
