"""Has the clock of this process follow the database's: compared when work begins, at most every COMPARE_EVERY_S.

Guarantees: no request, job or command runs by the host's clock while the database answers. A host whose clock differs says so in
the log and in /health/ready, and judges no ages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.errors import GatewayError
from app.unit_of_work import reading

QUESTION: Final = "SELECT clock_timestamp()"

COMPARE_EVERY_S: Final = 10.0

TRY_AGAIN_S: Final = 1.0
"""After a comparison that failed, or took so long that it says little."""

MAX_ANSWER_S: Final = 2.0

log = structlog.get_logger("clock")

_lock = threading.Lock()
_next_at = 0.0


def follow(read: Callable[[], datetime] | None = None) -> None:
    """Compare the clocks if that is due. read: asks QUESTION by other means than the application's pool, and raises what it will.

    Nothing happens when the database does not answer the pool.
    """
    if time.monotonic() < _next_at:
        return
    # Others wait only where there is nothing to go by yet.
    if not _lock.acquire(blocking=not clock.is_compared()):
        return
    try:
        if time.monotonic() < _next_at:
            return
        if read is None:
            _compare_by_pool()
        else:
            _compare(read)
    finally:
        _lock.release()


def problem() -> str:
    """What is wrong with the clocks, as a sentence; empty: nothing."""
    ahead_s = clock.host_difference().total_seconds()
    if abs(ahead_s) <= clock.MAX_DIFFERENCE.total_seconds():
        return ""
    side = "ahead of" if ahead_s > 0 else "behind"
    return f"This host's clock is {abs(ahead_s):.0f} s {side} the database's."


def _compare_by_pool() -> None:
    try:
        with reading() as session:
            session.connection()  # so that connecting is not measured
            _compare(lambda: session.execute(text(QUESTION)).scalar_one())
    except (GatewayError, SQLAlchemyError) as error:
        _try_again_later()
        log.warning("clock.not_compared", error=type(error).__name__)


def _compare(read: Callable[[], datetime]) -> None:
    global _next_at  # noqa: PLW0603 the one clock of this process
    _try_again_later()
    asked_at = time.monotonic()
    moment = read()
    took_s = time.monotonic() - asked_at
    if took_s > MAX_ANSWER_S:
        return
    _next_at = time.monotonic() + COMPARE_EVERY_S
    jump = clock.follow(moment, instant=asked_at + took_s / 2, doubt_s=took_s / 2)
    if jump:
        log.error("clock.database_jumped", seconds=round(jump.total_seconds()))
    if found := problem():
        log.error("clock.differs", problem=found)


def _try_again_later() -> None:
    global _next_at  # noqa: PLW0603 the one clock of this process
    _next_at = time.monotonic() + TRY_AGAIN_S
