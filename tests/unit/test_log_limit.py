"""Loggers that a Socket.IO client can write to at will are bounded; no other logger is."""

from __future__ import annotations

import logging

from app import logs


def test_lines_that_clients_can_cause_are_bounded() -> None:
    """Broken by: a traceback of the library for every packet it did not expect."""
    limit = logs.LineLimit()

    def passed(name: str, *, at: float = 0.0) -> int:
        records = [logging.makeLogRecord({"name": name, "created": at}) for _ in range(500)]
        return sum(limit.filter(record) for record in records)

    bound = logs.BOUNDED_LINES_PER_MIN
    assert (passed("engineio.server"), passed("engineio.server"), passed("access")) == (bound, 0, 500)
    assert (passed("realtime"), passed("engineio.server", at=60.0)) == (bound, bound)
