"""Times as document 003 writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with six decimals and the offset: 2025-01-15T10:30:00.000000+00:00."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
