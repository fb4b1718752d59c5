"""What a person may do beyond their own wallets: scopes on the user's row, read from Postgres at each use."""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids
from app.actor import SYSTEM
from app.errors import InvalidRequest, NotFound, PermissionDenied
from app.events import outbox
from app.events.catalogue import EventType
from app.models.user import User
from app.unit_of_work import reading, transaction

ADMIN: Final = "admin"

SCOPES: Final = (ADMIN,)


def require_scope(user_id: uuid.UUID, scope: str) -> None:
    """Raises PermissionDenied unless the user has the scope at this moment."""
    with reading() as session:
        scopes = session.scalar(select(User.scopes).where(User.id == user_id))
    if scope not in (scopes or ()):
        raise PermissionDenied(f"This needs the scope {scope}.")


def set_scope(email: str, scope: str, *, is_granted: bool, operator: str = SYSTEM) -> bool:
    """Grant or take a scope. False: nothing to change. Raises NotFound (the user), InvalidRequest (the scope)."""
    if scope not in SCOPES:
        raise InvalidRequest(f"There is no scope {scope}; there is {', '.join(SCOPES)}.", field="scope")

    def work(session: Session) -> bool:
        wanted = select(User).where(User.email == email.strip().lower()).with_for_update(key_share=True)
        user = session.scalars(wanted).one_or_none()
        if user is None:
            raise NotFound("No user has this e-mail.")
        if (scope in user.scopes) is is_granted:
            return False
        user.scopes = sorted({*user.scopes, scope} if is_granted else set(user.scopes) - {scope})
        event_type = EventType.USER_SCOPE_GRANTED if is_granted else EventType.USER_SCOPE_REVOKED
        outbox.record(
            session,
            event_type,
            object_id=ids.public(ids.USER, user.id),
            data={"scope": scope},
            now=clock.now(),
            actor=operator,
            is_public=False,
        )
        return True

    return transaction(work)
