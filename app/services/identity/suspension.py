"""Suspending users and reactivating them.

Guarantees: from the commit on no token of a suspended user is accepted and no login succeeds, on any process, since
each use reads the user's row; sessions are kept, and accepted again after reactivation. A payment that has left the
wallet still completes. As the owner of a frozen wallet, a suspended user can be paid by wallet id; their e-mail
address is not found.
"""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest
from app.events import outbox
from app.events.catalogue import EventType
from app.principal import Principal
from app.services.identity import users
from app.services.identity.passwords import UNUSABLE
from app.services.reasons import valid_reason
from app.unit_of_work import transaction


def suspend_user(who: str | uuid.UUID, *, reason: str, operator: Principal) -> bool:
    """`who`: an e-mail address or an id. False: they are suspended already, and nothing changed. Raises NotFound, InvalidRequest (the reason)."""
    return _set_active(who, is_active=False, reason=reason, operator=operator)


def reactivate_user(who: str | uuid.UUID, *, reason: str, operator: Principal) -> bool:
    """False: they are active already, and nothing changed. Raises NotFound, InvalidRequest (the reason, or the user
    was disabled for good)."""
    return _set_active(who, is_active=True, reason=reason, operator=operator)


def _set_active(who: str | uuid.UUID, *, is_active: bool, reason: str, operator: Principal) -> bool:
    facts = {"reason": valid_reason(reason)}

    def work(session: Session) -> bool:
        user = users.locked(session, who)
        if is_active and user.password_hash == UNUSABLE:
            raise InvalidRequest("This user was disabled for good and cannot be reactivated.")
        if user.is_active is is_active:
            return False
        user.is_active = is_active
        outbox.record(
            session,
            EventType.USER_REACTIVATED if is_active else EventType.USER_SUSPENDED,
            object_id=ids.public(ids.USER, user.id),
            data=facts,
            now=clock.now(),
            actor=operator,
            is_public=False,
        )
        return True

    return transaction(work)
