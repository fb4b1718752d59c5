"""What members, or operators, do with members: adding, giving another role, suspending, resuming and removing.

Guarantees: a member changes no member, and gives no role, with a scope that they lack themselves at that moment; a tenant with an
active Owner keeps one, however many changes are made at once, since each holds the tenant's row; with a role end the invitations that
were made by it.

A member is named by the user's id, or by an operator by e-mail.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest, NotFound
from app.events.catalogue import EventType
from app.models.member import Member, Role
from app.models.user import User
from app.principal import Principal
from app.services.identity import users
from app.services.reasons import valid_reason
from app.services.tenants import invitations, tenants
from app.services.tenants.members import MemberDetail, join, record, scopes_of
from app.services.tenants.roles import ROLES, require_scopes
from app.unit_of_work import transaction


def add_member(tenant_id: uuid.UUID, email: str, role: Role, *, operator: Principal) -> MemberDetail:
    """Make a user a member without an invitation, for operators. Raises NotFound, InvalidRequest (join)."""
    now = clock.now()

    def work(session: Session) -> MemberDetail:
        tenants.locked(session, tenant_id)
        user = users.locked(session, email)
        return MemberDetail(join(session, tenant_id, user.id, role, actor=operator, now=now), user)

    return transaction(work)


def set_role(tenant_id: uuid.UUID, who: str | uuid.UUID, role: Role, *, actor: Principal) -> MemberDetail:
    """Give a member another role. Raises NotFound, ScopeMissing, InvalidRequest: the actor's own, or the last Owner's."""
    now = clock.now()

    def work(session: Session) -> MemberDetail:
        found = _to_change(session, tenant_id, who, actor)
        before, was_owner = found.member.role, _is_active_owner(found)
        if found.user.id == actor.user:
            raise InvalidRequest("You cannot change your own role.", field="role")
        require_scopes(scopes_of(session, tenant_id, actor), ROLES[role])
        if before is not role:
            found.member.role = role
            _require_an_owner(session, tenant_id, was_owner=was_owner)
            _end_invitations(session, found.member, actor=actor, now=now)
            facts = {"role": role, "before": before}
            record(session, EventType.MEMBER_ROLE_CHANGED, found.member, facts, actor=actor, now=now)
        return found

    return transaction(work)


def remove_member(tenant_id: uuid.UUID, who: str | uuid.UUID, *, actor: Principal) -> MemberDetail:
    """End a membership; one may end one's own. Raises NotFound, ScopeMissing, InvalidRequest (the last Owner)."""
    now = clock.now()

    def work(session: Session) -> MemberDetail:
        found = _to_change(session, tenant_id, who, actor)
        was_owner = _is_active_owner(found)
        session.delete(found.member)
        _require_an_owner(session, tenant_id, was_owner=was_owner)
        _end_invitations(session, found.member, actor=actor, now=now)
        facts = {"role": found.member.role}
        record(session, EventType.MEMBER_REMOVED, found.member, facts, actor=actor, now=now)
        return found

    return transaction(work)


def suspend_member(
    tenant_id: uuid.UUID, who: str | uuid.UUID, *, reason: str, actor: Principal
) -> MemberDetail:
    """Refuse what the member asks of this tenant until they are resumed. Harmless when they are suspended.

    Raises NotFound, ScopeMissing, InvalidRequest (the reason, or the last Owner).
    """
    given, now = valid_reason(reason), clock.now()

    def work(session: Session) -> MemberDetail:
        found = _to_change(session, tenant_id, who, actor)
        if found.member.suspended_at is None:
            was_owner = _is_active_owner(found)
            found.member.suspended_at = now
            _require_an_owner(session, tenant_id, was_owner=was_owner)
            _end_invitations(session, found.member, actor=actor, now=now)
            facts = {"reason": given}
            record(session, EventType.MEMBER_SUSPENDED, found.member, facts, actor=actor, now=now)
        return found

    return transaction(work)


def resume_member(tenant_id: uuid.UUID, who: str | uuid.UUID, *, actor: Principal) -> MemberDetail:
    """Undo a suspension. Harmless when they are not suspended. Raises NotFound, ScopeMissing."""
    now = clock.now()

    def work(session: Session) -> MemberDetail:
        found = _to_change(session, tenant_id, who, actor)
        if found.member.suspended_at is not None:
            found.member.suspended_at = None
            record(session, EventType.MEMBER_RESUMED, found.member, {}, actor=actor, now=now)
        return found

    return transaction(work)


def _to_change(
    session: Session, tenant_id: uuid.UUID, who: str | uuid.UUID, actor: Principal
) -> MemberDetail:
    """A member, by e-mail or the user's id, whom the actor may change. The tenant's row is locked, and with it all its members'.

    Raises NotFound, NotAMember, ScopeMissing.
    """
    tenants.locked(session, tenant_id)
    own = scopes_of(session, tenant_id, actor)
    is_named = User.id == who if isinstance(who, uuid.UUID) else User.email == who.strip().lower()
    wanted = (
        select(Member, User)
        .join(User, User.id == Member.user_id)
        .where(Member.tenant_id == tenant_id, is_named)
    )
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NotFound("The tenant has no such member.")
    found = MemberDetail(*row)
    require_scopes(own, ROLES[found.member.role])
    return found


def _is_active_owner(found: MemberDetail) -> bool:
    return found.member.role is Role.OWNER and found.member.suspended_at is None and found.user.is_active


def _require_an_owner(session: Session, tenant_id: uuid.UUID, *, was_owner: bool) -> None:
    """Raises InvalidRequest when the change of an Owner who could act leaves none. The tenant's row is locked."""
    if not was_owner:
        return
    session.flush()
    active = (
        select(Member.user_id)
        .join(User, User.id == Member.user_id)
        .where(
            Member.tenant_id == tenant_id,
            Member.role == Role.OWNER,
            Member.suspended_at.is_(None),
            User.is_active,
        )
    )
    if session.scalars(active.limit(1)).first() is None:
        raise InvalidRequest("A tenant needs an active Owner: make another member one first.")


def _end_invitations(session: Session, member: Member, *, actor: Principal, now: datetime) -> None:
    """What a member has offered others ends with what they may do themselves."""
    invited_by = ids.public(ids.USER, member.user_id)
    invitations.end_all(session, member.tenant_id, invited_by=invited_by, actor=actor, now=now)
