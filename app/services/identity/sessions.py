"""Sessions: a token is only as alive as its row here, and the row's user."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select

from app.errors import TokenInvalid
from app.models.user import User, UserSession
from app.unit_of_work import reading

_LIVE = select(UserSession.revoked_at, UserSession.expires_at, User.is_active).join(
    User, User.id == UserSession.user_id
)


def require_live(session_id: uuid.UUID, *, user_id: uuid.UUID, now: datetime) -> None:
    """Raises TokenInvalid unless the session is this user's, not revoked, not over, and the user is active."""
    with reading() as session:
        row = session.execute(
            _LIVE.where(UserSession.id == session_id, UserSession.user_id == user_id)
        ).first()
    if row is None or row.revoked_at is not None or row.expires_at <= now or not row.is_active:
        raise TokenInvalid("This session has ended; log in again.")
