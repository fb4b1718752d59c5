"""Changing one's own password.

Guarantees: it is not changed without the current one, not with a stolen session either, and wrong ones are counted as at
a login; from the commit on only the session that changed it is left.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidCredentials
from app.events import outbox
from app.events.catalogue import EventType
from app.models.user import User
from app.principal import Principal
from app.services.identity import password_attempts, passwords, sessions, users
from app.services.identity.password_attempts import Attempt, Attempted
from app.unit_of_work import reading, transaction


def change_password(actor: Principal, current: str, new: str) -> int:
    """Returns how many other sessions were ended.

    Raises WeakPassword and InvalidRequest (the new one), InvalidCredentials (the current one), RateLimitExceeded after
    wrong ones.
    """
    passwords.check_strength(new, field="new_password")
    with reading() as session:
        user = session.get_one(User, actor.user_id)
    attempt = password_attempts.begin(user.email, address=actor.address)
    try:
        _require_correct(current, user.password_hash)
        return _change(actor, attempt, current, new, checked_hash=user.password_hash)
    except InvalidCredentials:
        password_attempts.record_failure(attempt, Attempted.PASSWORD_CHANGE)
        raise


def _change(actor: Principal, attempt: Attempt, current: str, new: str, *, checked_hash: str) -> int:
    new_hash, now = passwords.hash_password(new), clock.now()

    def work(session: Session) -> int:
        user = users.locked(session, actor.user_id)
        if user.password_hash != checked_hash:
            _require_correct(current, user.password_hash)
        user.password_hash = new_hash
        ended = sessions.revoke_others(session, actor, now=now)
        password_attempts.record_success(session, attempt)
        outbox.record(
            session,
            EventType.USER_PASSWORD_CHANGED,
            object_id=ids.public(ids.USER, user.id),
            data={"sessions_ended": ended},
            now=now,
            actor=actor,
            is_public=False,
        )
        return ended

    return transaction(work)


def _require_correct(password: str, password_hash: str) -> None:
    if not passwords.is_correct(password, password_hash):
        raise InvalidCredentials("The current password is wrong.", field="current_password")
