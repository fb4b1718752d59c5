"""docs/webhooks.md says what the code does: types, waits and limits."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask

from app.events import webhook_messages
from app.services.webhooks import (
    addresses,
    connection,
    deliveries,
    endpoints,
    replay,
    retention,
    samples,
    schedule,
    sending,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "webhooks.md").read_text(encoding="utf-8")
PAGE_OF_TYPES = DOCS / "webhook-catalogue.md"
UNITS = {"s": 1, "min": 60, "h": 3600}


def _cells(row: str) -> str:
    """The second column of the row that begins so."""
    found = re.search(rf"^\| {re.escape(row)} \| (.*) \|$", PAGE, re.MULTILINE)
    assert found is not None, row
    return found[1]


def test_the_types_are_those_that_are_sent() -> None:
    table = PAGE.split("| type | `data` |")[1].split("\n\n")[0]
    listed = re.findall(r"`(\w+\.\w+)`", table)
    assert sorted(listed) == sorted([*webhook_messages.CHOICES, webhook_messages.TEST_TYPE])
    own = PAGE.split("## The platform's own")[1].split("\n\n")[1]
    assert tuple(re.findall(r"`(wallet_payment\.\w+)`", own)) == webhook_messages.PLATFORM_CHOICES


def test_the_waits_are_the_schedules() -> None:
    cells = _cells("the next one").split(" | ")
    waits = [int(number) * UNITS[unit] for number, unit in (cell.split() for cell in cells[:-1])]
    assert tuple(waits) == schedule.WAITS_S and "dead" in cells[-1]
    assert f"up to {schedule.MAX_RETRY_AFTER.total_seconds() / 3600:.0f} hours" in PAGE
    assert schedule.FAILING_LIFE.days == 5 and "failing for five days" in PAGE


def test_the_limits_are_the_codes() -> None:
    assert _cells("endpoints of a tenant") == str(endpoints.MAX_ENDPOINTS)
    assert _cells("one attempt").startswith(
        f"{connection.DEADLINE_S:.0f} seconds; the first {connection.MAX_ANSWER_BYTES:,} bytes"
    )
    at_once = f"{deliveries.AT_ONCE} for an endpoint, {sending.THREADS} for a worker process"
    assert _cells("under way at once") == at_once
    replayed = f"{replay.MAX_REPLAYED:,} events, not older than {replay.MAX_AGE.days} days"
    assert _cells("replay of a time") == replayed
    assert _cells("a simulated payload") == f"{endpoints.MAX_SIMULATED_BYTES:,} bytes"
    assert _cells("deliveries and their attempts are kept") == f"{retention.KEPT.days} days"
    overlap = f"(0 to {endpoints.MAX_OVERLAP_HOURS}, default {endpoints.DEFAULT_OVERLAP_HOURS})"
    assert overlap in PAGE and f"{addresses.MAX_URL:,} characters" in PAGE
    lease_s = deliveries.LEASE.total_seconds()
    assert f"{sending.RUN_S:.0f} seconds; an endpoint whose worker was killed: {lease_s:.0f} seconds" in PAGE
    assert f"its last {deliveries.AT_ONCE * sending.NOTED_AT_ONCE}, within {lease_s:.0f} seconds" in PAGE
    assert lease_s >= sending.RUN_S + connection.DEADLINE_S + 5, (
        "and the writing of what came of the last one"
    )


def test_the_catalogue_is_made_from_the_code(app: Flask) -> None:
    """`flask webhooks catalogue > docs/webhook-catalogue.md` brings it up to date."""
    printed = app.test_cli_runner().invoke(args=["webhooks", "catalogue"]).output
    assert printed == PAGE_OF_TYPES.read_text(encoding="utf-8")
    shown = {event_type.partition(".")[0] for event_type, _ in samples.SHOWN}
    assert shown == {event_type.partition(".")[0] for event_type in webhook_messages.TYPES}
