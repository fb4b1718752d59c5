"""When each API key was last used, to a minute: a write a minute and key, however many calls there are.

Guarantees: it never delays a call that waits for nothing else, since a row that is locked is left for the next minute, and never
fails one.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import or_, select, update

from app import clock
from app.errors import GatewayError
from app.models.tenant import ApiKey
from app.unit_of_work import transaction

PRECISION: Final = timedelta(minutes=1)

MAX_REMEMBERED: Final = 4096
"""Keys whose last note a process remembers; beyond it they are noted again."""

log = structlog.get_logger("auth")


class KeyUses:
    """What this process has noted. Safe to share between threads: two that note at once write once."""

    def __init__(self) -> None:
        self._noted_at: dict[uuid.UUID, datetime] = {}

    def note(self, key_id: uuid.UUID) -> None:
        """The key was used now."""
        now = clock.now()
        noted_at = self._noted_at.get(key_id)
        if noted_at is not None and abs(now - noted_at) < PRECISION:
            return
        if len(self._noted_at) >= MAX_REMEMBERED:
            self._noted_at.clear()
        self._noted_at[key_id] = now
        try:
            _store(key_id, now)
        except GatewayError as error:
            log.info("api_key.use_not_noted", code=error.code)


def _store(key_id: uuid.UUID, now: datetime) -> None:
    is_due = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - PRECISION)
    free = select(ApiKey.id).where(ApiKey.id == key_id, is_due)
    free = free.with_for_update(key_share=True, skip_locked=True)
    statement = update(ApiKey).where(ApiKey.id.in_(free.scalar_subquery())).values(last_used_at=now)
    transaction(lambda session: session.execute(statement, execution_options={"synchronize_session": False}))
