"""How long mails are kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import ids
from app.models import Notification

KEPT: Final = timedelta(days=90)
"""After it was sent, so that questions about it can be answered. A mail that was not sent stays."""


def delete_sent(session: Session, *, now: datetime, limit: int) -> int:
    """Delete mails that were sent KEPT ago, at most `limit`; how many. Ids begin with the moment a mail was queued."""
    before = now - KEPT
    old = select(Notification.id).where(
        Notification.id < ids.first_of(before),
        Notification.sent_at < before,
    )
    batch = old.order_by(Notification.id).limit(limit).with_for_update(skip_locked=True)
    is_it = Notification.id.in_(batch.scalar_subquery())
    return len(session.scalars(delete(Notification).where(is_it).returning(Notification.id)).all())
