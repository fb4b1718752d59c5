"""Reasons that operators give for their decisions. They are stored in the event log for ever."""

from __future__ import annotations

from typing import Final

from app.errors import InvalidRequest

MAX_REASON: Final = 200
"""Characters."""


def valid_reason(text: str) -> str:
    """`text` without spaces around it. Raises InvalidRequest."""
    reason = text.strip()
    if not 0 < len(reason) <= MAX_REASON or not reason.isprintable():
        raise InvalidRequest(f"A reason has 1 to {MAX_REASON} printable characters.", field="reason")
    return reason
