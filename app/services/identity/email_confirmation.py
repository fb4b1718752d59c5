"""Whether an e-mail address is its user's: only then are they paid by it.

Guarantees: a token confirms the address of the user it was made for, and only in a session of that user, so that neither
who registered another person's address nor who reads that person's mail can confirm it alone; it works once, for TOKEN_LIFE; only
its hash is stored. A user has one token at a time.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest
from app.events import outbox
from app.events.catalogue import EventType
from app.models.user import EmailConfirmation, User
from app.principal import Principal
from app.services.identity import users
from app.unit_of_work import transaction

TOKEN_LIFE: Final = timedelta(hours=24)

TOKEN_BYTES: Final = 32
"""Random bytes of a token; 43 characters."""

MAX_TOKEN_LENGTH: Final = 64
"""Characters; longer ones are refused unread."""


def make_token(email: str, *, operator: Principal) -> str:
    """A new token for a user, in place of an earlier one. Raises NotFound, InvalidRequest: the address is confirmed."""
    token, now = secrets.token_urlsafe(TOKEN_BYTES), clock.now()
    content = {"token_hash": _hash(token), "expires_at": now + TOKEN_LIFE}

    def work(session: Session) -> None:
        user = users.locked(session, email)
        if user.email_confirmed_at is not None:
            raise InvalidRequest("This e-mail address is confirmed already.", field="email")
        statement = insert(EmailConfirmation).values(user_id=user.id, **content)
        session.execute(
            statement.on_conflict_do_update(index_elements=[EmailConfirmation.user_id], set_=content)
        )
        _record(session, EventType.EMAIL_TOKEN_MADE, user, actor=operator, now=now)

    transaction(work)
    return token


def confirm(actor: Principal, token: str) -> User:
    """Confirm the actor's address by their token. Harmless when it is confirmed. Raises InvalidRequest."""
    now = clock.now()

    def work(session: Session) -> User:
        user = users.locked(session, actor.user_id)
        if user.email_confirmed_at is not None:
            return user
        used = session.execute(
            delete(EmailConfirmation)
            .where(
                EmailConfirmation.user_id == user.id,
                EmailConfirmation.token_hash == _hash(token),
                EmailConfirmation.expires_at > now,
            )
            .returning(EmailConfirmation.user_id)
        )
        if used.first() is None:
            raise InvalidRequest("This is not your confirmation token, or it has expired.", field="token")
        _confirm(session, user, actor=actor, now=now)
        return user

    return transaction(work)


def confirm_by_operator(email: str, *, operator: Principal) -> bool:
    """False: it is confirmed already, and nothing changed. Raises NotFound."""
    now = clock.now()

    def work(session: Session) -> bool:
        user = users.locked(session, email)
        if user.email_confirmed_at is not None:
            return False
        session.execute(delete(EmailConfirmation).where(EmailConfirmation.user_id == user.id))
        _confirm(session, user, actor=operator, now=now)
        return True

    return transaction(work)


def _confirm(session: Session, user: User, *, actor: Principal, now: datetime) -> None:
    user.email_confirmed_at = now
    _record(session, EventType.EMAIL_CONFIRMED, user, actor=actor, now=now)


def _record(session: Session, event_type: EventType, user: User, *, actor: Principal, now: datetime) -> None:
    outbox.record(
        session,
        event_type,
        object_id=ids.public(ids.USER, user.id),
        data={},
        now=now,
        actor=actor,
        is_public=False,
    )


def _hash(token: str) -> bytes:
    """A token is random enough that a fast hash, without a salt, reveals nothing."""
    return hashlib.sha256(token.encode()).digest()
