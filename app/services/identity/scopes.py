"""What a user may do beyond their own wallets: scopes on the user's row, read from Postgres at each use."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest, PermissionDenied
from app.events import outbox
from app.events.catalogue import EventType
from app.models.user import Scope, User
from app.principal import SYSTEM, Kind, Principal
from app.services.identity import users
from app.unit_of_work import reading, transaction

OPERATORS_SCOPE: Final = Scope.ADMIN


def require_scope(principal: Principal, scope: Scope) -> Principal:
    """The principal with the user's scopes of this moment; of kind operator where they make it one.

    Raises PermissionDenied unless it is a user who has the scope.
    """
    found = with_scopes(principal)
    if scope not in found.scopes:
        raise PermissionDenied(f"This needs the scope {scope}.")
    return found


def with_scopes(principal: Principal) -> Principal:
    """The principal with the scopes of this moment, where it is a user; of kind operator where they make it one."""
    if principal.user is None:
        return principal
    with reading() as session:
        granted = frozenset(session.scalar(select(User.scopes).where(User.id == principal.user)) or ())
    kind = Kind.OPERATOR if OPERATORS_SCOPE in granted else principal.kind
    return replace(principal, kind=kind, scopes=granted)


def set_scope(email: str, scope: str, *, is_granted: bool, operator: Principal = SYSTEM) -> bool:
    """Grant or revoke a scope. False: nothing to change. Raises NotFound (the user), InvalidRequest (the scope)."""
    if scope not in list(Scope):
        raise InvalidRequest(f"There is no scope {scope}; there is {', '.join(Scope)}.", field="scope")

    def work(session: Session) -> bool:
        user = users.locked(session, email)
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
