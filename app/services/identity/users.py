"""How an operator names a user: by e-mail address, or by id."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models.user import User


def locked(session: Session, who: str | uuid.UUID) -> User:
    """The user's row, locked: a login that is under way opens its session before this or not at all. Raises NotFound."""
    if isinstance(who, uuid.UUID):
        wanted, message = User.id == who, "No user has this id."
    else:
        wanted, message = User.email == who.strip().lower(), "No user has this e-mail."
    user = session.scalars(select(User).where(wanted).with_for_update(key_share=True)).one_or_none()
    if user is None:
        raise NotFound(message)
    return user
