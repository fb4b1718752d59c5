"""Sessions: a token is only as alive as its row here, and the row's user.

Guarantees: an ended session's tokens are refused from the commit on, on any process, since each use reads the row; no
session lives longer than SESSION_TTL_S, however often it is refreshed.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from flask import current_app
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import NotFound, TokenInvalid
from app.events import outbox
from app.events.catalogue import EventType
from app.models.user import User, UserSession
from app.principal import Principal
from app.services.identity import users
from app.services.reasons import valid_reason
from app.unit_of_work import reading, transaction

MAX_LISTED: Final = 100
"""Sessions in a list: those that were used last."""

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


def expiry(now: datetime, *, opened_at: datetime) -> datetime:
    """When a session that is opened or refreshed now is over, unless it is refreshed again."""
    return min(now + timedelta(seconds=current_app.config["REFRESH_TOKEN_TTL_S"]), end_of(opened_at))


def end_of(opened_at: datetime) -> datetime:
    """When a session is over for good."""
    return opened_at + timedelta(seconds=current_app.config["SESSION_TTL_S"])


def list_live(user_id: uuid.UUID) -> Sequence[UserSession]:
    """The user's sessions, the one that was used last first; at most MAX_LISTED."""
    last_used_at = func.coalesce(UserSession.refreshed_at, UserSession.created_at)
    query = (
        select(UserSession)
        .where(*_is_live(user_id, clock.now()))
        .order_by(last_used_at.desc(), UserSession.id)
        .limit(MAX_LISTED)
    )
    with reading() as session:
        return session.scalars(query).all()


def end_session(actor: Principal, session_id: uuid.UUID) -> None:
    """End one of the actor's own sessions. Raises NotFound: it is not theirs, or is over."""
    now = clock.now()

    def work(session: Session) -> None:
        users.locked(session, actor.user_id)
        if not revoke(session, UserSession.id == session_id, *_is_live(actor.user_id, now), now=now):
            raise NotFound("You have no session with this id.")
        facts = {"session": session_id.hex, "reason": "ended_by_user"}
        _record(session, EventType.SESSION_REVOKED, actor.user_id, facts, actor=actor, now=now)

    transaction(work)


def end_other_sessions(actor: Principal) -> int:
    """End the actor's sessions but the one they act in; how many."""
    now = clock.now()

    def work(session: Session) -> int:
        users.locked(session, actor.user_id)
        ended = revoke_others(session, actor, now=now)
        if ended:
            facts = {"sessions": ended, "reason": "ended_by_user"}
            _record(session, EventType.USER_SESSIONS_ENDED, actor.user_id, facts, actor=actor, now=now)
        return ended

    return transaction(work)


def end_all_sessions(who: str | uuid.UUID, *, reason: str, operator: Principal) -> int:
    """End every session of a user, named by e-mail or id; how many. Raises NotFound, InvalidRequest (the reason)."""
    given, now = valid_reason(reason), clock.now()

    def work(session: Session) -> int:
        user_id = users.locked(session, who).id
        ended = revoke(session, *_is_live(user_id, now), now=now)
        if ended:
            facts = {"sessions": ended, "reason": given}
            _record(session, EventType.USER_SESSIONS_ENDED, user_id, facts, actor=operator, now=now)
        return ended

    return transaction(work)


def revoke_others(session: Session, actor: Principal, *, now: datetime) -> int:
    """Revoke the actor's sessions but the one they act in, in the caller's transaction; how many."""
    return revoke(session, UserSession.id != actor.session_id, *_is_live(actor.user_id, now), now=now)


def revoke(session: Session, *criteria: ColumnElement[bool], now: datetime) -> int:
    """Revoke those of these sessions that are not revoked; how many."""
    revoked = session.execute(
        update(UserSession)
        .where(*criteria, UserSession.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(UserSession.id)
    )
    return len(revoked.all())


def _is_live(user_id: uuid.UUID, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (UserSession.user_id == user_id, UserSession.revoked_at.is_(None), UserSession.expires_at > now)


def _record(
    session: Session,
    event_type: EventType,
    user_id: uuid.UUID,
    facts: dict[str, Any],
    *,
    actor: Principal,
    now: datetime,
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=ids.public(ids.USER, user_id),
        data=facts,
        now=now,
        actor=actor,
        is_public=False,
    )
