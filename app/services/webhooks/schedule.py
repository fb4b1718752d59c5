"""When a delivery that failed is tried again, and when an endpoint that keeps failing is disabled."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

MINUTE: Final = 60
HOUR: Final = 3600

WAITS_S: Final = (5, 5 * MINUTE, 30 * MINUTE, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24)))
"""Before the second attempt, the third, and so on; after one more failure the delivery is dead."""

JITTER: Final = 0.1
"""Waits are longer or shorter by up to this part of them, so that what failed together is not sent together again."""

MAX_RETRY_AFTER: Final = timedelta(hours=24)
"""An endpoint that asks for a longer wait by Retry-After gets this one."""

FAILING_LIFE: Final = timedelta(days=5)
"""An endpoint at which every attempt has failed for so long is disabled."""


def next_at(failures: int, *, now: datetime, retry_after: str | None = None) -> datetime | None:
    """After so many failed attempts, this one included; None: no attempt is left. retry_after: the answer's header, which can
    only make the wait longer."""
    if failures > len(WAITS_S):
        return None
    wait = timedelta(seconds=WAITS_S[failures - 1] * random.uniform(1 - JITTER, 1 + JITTER))
    wanted = min(_wanted_wait(retry_after, now), MAX_RETRY_AFTER)
    return now + max(wait, wanted)


def _wanted_wait(retry_after: str | None, now: datetime) -> timedelta:
    """Seconds, or an HTTP date; nothing for what is neither."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return timedelta(0)
    return moment - now if moment.tzinfo is not None else timedelta(0)
