"""When a failed delivery is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app.services.webhooks import schedule

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = 3600


def _wait_s(failures: int, retry_after: str | None = None) -> float:
    found = schedule.next_at(failures, now=NOW, retry_after=retry_after)
    assert found is not None
    return (found - NOW).total_seconds()


def test_the_waits_are_those_of_the_documentation_give_or_take_a_tenth() -> None:
    waits = (5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
    for failures, wait_s in enumerate(waits, start=1):
        found = [_wait_s(failures) for _ in range(20)]
        assert all(0.9 * wait_s <= one <= 1.1 * wait_s for one in found)
        assert len(set(found)) > 1
    assert schedule.next_at(10, now=NOW) is None


@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [
        ("60", 60, 60),
        ("1", 4.5, 5.5),  # it can only make the wait longer
        ("999999999999999999999", 24 * HOUR, 24 * HOUR),
        ("-5", 4.5, 5.5),
        ("soon", 4.5, 5.5),
        ("", 4.5, 5.5),
        ("١٢٣", 4.5, 5.5),
        ("\x00", 4.5, 5.5),
        (format_datetime(NOW + timedelta(minutes=7), usegmt=True), 420, 420),
        (format_datetime(NOW - timedelta(days=7), usegmt=True), 4.5, 5.5),
        ("Sun, 01 Mar 99999 12:00:00 GMT", 4.5, 5.5),
        ("Sun, 01 Mar 2026 12:00:00", 4.5, 5.5),
    ],
)
def test_retry_after_is_honoured_within_bounds(retry_after: str, least_s: float, most_s: float) -> None:
    assert least_s <= _wait_s(1, retry_after) <= most_s
