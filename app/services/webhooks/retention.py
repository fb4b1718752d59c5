"""How long attempts and deliveries are kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import ids

KEPT: Final = timedelta(days=30)
"""Longer than a delivery is tried."""

_ATTEMPTS: Final = text("""
DELETE FROM webhook_attempts WHERE id IN (
  SELECT id FROM webhook_attempts WHERE id < :before ORDER BY id LIMIT :limit)
""")
_DELIVERIES: Final = text("""
DELETE FROM webhook_deliveries WHERE id IN (
  SELECT id FROM webhook_deliveries WHERE id < :before AND state <> 'due' ORDER BY id LIMIT :limit)
""")


def delete_attempts(session: Session, *, now: datetime, limit: int) -> int:
    """Those older than KEPT, at most `limit`; how many there were. Ids begin with their moment."""
    return _delete(session, _ATTEMPTS, now, limit)


def delete_deliveries(session: Session, *, now: datetime, limit: int) -> int:
    """Those that are not due any more, made longer ago than KEPT."""
    return _delete(session, _DELIVERIES, now, limit)


def _delete(session: Session, statement: object, now: datetime, limit: int) -> int:
    done = session.execute(statement, {"before": ids.first_of(now - KEPT), "limit": limit})  # type: ignore[call-overload]
    return int(done.rowcount)
