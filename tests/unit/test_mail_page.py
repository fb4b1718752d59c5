"""docs/mail.md and docs/operations.md say what the code does with mails: waits, limits, and how long they are kept."""

from __future__ import annotations

import re
from pathlib import Path

from app import queue
from app.models.job import JobKind
from app.services.mail import retention, sending
from app.web import mailbox
from app.worker.kinds import HANDLERS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "mail.md").read_text(encoding="utf-8")
UNITS = {"s": 1, "min": 60}


def test_the_waits_are_the_handlers() -> None:
    row = re.search(r"^\| the next attempt \| after (.*), and then every hour \|$", PAGE, re.MULTILINE)
    assert row is not None
    first = [int(number) * UNITS[unit] for number, unit in (wait.split() for wait in row[1].split(", "))]
    retries = HANDLERS[JobKind.MAIL_SEND].retries
    assert tuple(first) == retries[: len(first)] and set(retries[len(first) :]) == {3600}
    assert sum(retries) // 86_400 == 3 and "| three days of failed attempts |" in PAGE


def test_the_limits_are_the_codes() -> None:
    assert f"| the conversation with the server takes {sending.DEADLINE_S:.0f} s |" in PAGE
    assert f"half of the lease of {queue.LEASE.total_seconds():.0f} s" in PAGE
    assert f"the newest {mailbox.SHOWN} mails" in PAGE
    assert f"`{sending.NO_SERVER}`" in PAGE
    for page in (PAGE, (DOCS / "operations.md").read_text(encoding="utf-8")):
        assert f"| {retention.KEPT.days} days after" in page
