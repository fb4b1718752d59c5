"""Invitations of e-mail addresses to become a member.

Guarantees: a token is shown once and stored as a hash; it works once, for INVITATION_LIFE, and only for a signed-in user whose
confirmed address is the invited one; an address has one open invitation to a tenant. Nobody invites into a role with a
scope that they lack.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.member import Invitation, Member, Role
from app.models.user import User
from app.principal import Principal
from app.services.identity import emails, users
from app.services.tenants import tenants
from app.services.tenants.members import Membership, join, scopes_of
from app.services.tenants.roles import ROLES, require_scopes
from app.unit_of_work import reading, transaction

INVITATION_LIFE: Final = timedelta(hours=72)

MAX_OPEN: Final = 100
"""Open invitations of a tenant."""

TOKEN_BYTES: Final = 32
"""Random bytes of a token; 43 characters."""

MAX_TOKEN_LENGTH: Final = 64
"""Characters; longer ones are refused unread."""

_NOT_YOURS: Final = "This is not an invitation of yours, or it was used or has expired."


def invite(tenant_id: uuid.UUID, email: str, role: Role, *, actor: Principal) -> tuple[Invitation, str]:
    """An invitation and its token, which is shown only now.

    Raises NotFound (the tenant), ScopeMissing, InvalidRequest: no e-mail address, one that is a member's or is invited, too many.
    """
    wanted, token, now = emails.normal(email), secrets.token_urlsafe(TOKEN_BYTES), clock.now()

    def work(session: Session) -> Invitation:
        tenants.locked(session, tenant_id)
        require_scopes(scopes_of(session, tenant_id, actor), ROLES[role])
        _end_expired(session, tenant_id, now=now)
        _require_new(session, tenant_id, wanted)
        invitation = Invitation(
            id=ids.uuid7(),
            tenant_id=tenant_id,
            email=wanted,
            role=role,
            token_hash=_hash(token),
            invited_by=actor.event_actor,
            created_at=now,
            expires_at=now + INVITATION_LIFE,
        )
        session.add(invitation)
        _record(session, EventType.MEMBER_INVITED, invitation, {"role": role}, actor=actor, now=now)
        return invitation

    return transaction(work), token


def list_invitations(tenant_id: uuid.UUID) -> Sequence[Invitation]:
    """The tenant's open invitations, the newest first; at most MAX_OPEN."""
    wanted = (
        select(Invitation)
        .where(_is_open(tenant_id), Invitation.expires_at > clock.now())
        .order_by(Invitation.id.desc())
        .limit(MAX_OPEN)
    )
    with reading() as session:
        return session.scalars(wanted).all()


def revoke_invitation(tenant_id: uuid.UUID, invitation_id: uuid.UUID, *, actor: Principal) -> None:
    """End an open invitation. Raises NotFound, ScopeMissing."""
    now = clock.now()

    def work(session: Session) -> None:
        tenants.locked(session, tenant_id)
        own = scopes_of(session, tenant_id, actor)
        found = select(Invitation).where(_is_open(tenant_id), Invitation.id == invitation_id)
        invitation = session.scalars(found).one_or_none()
        if invitation is None or invitation.expires_at <= now:
            raise NotFound("The tenant has no such invitation.")
        require_scopes(own, ROLES[invitation.role])
        _end(session, [invitation], actor=actor, now=now)

    transaction(work)


def accept(actor: Principal, token: str) -> Membership:
    """Make the actor a member by their invitation.

    Raises InvalidRequest: it is not theirs, or no longer open; their address is not confirmed; they are a member already.
    """
    now = clock.now()

    def work(session: Session) -> Membership:
        is_named = Invitation.token_hash == _hash(token)
        tenant_id = session.scalars(select(Invitation.tenant_id).where(is_named)).one_or_none()
        if tenant_id is None:
            raise InvalidRequest(_NOT_YOURS, field="token")
        tenant = tenants.locked(session, tenant_id)
        user = users.locked(session, actor.user_id)
        found = select(Invitation).where(
            is_named, _is_open(tenant_id), Invitation.email == user.email, Invitation.expires_at > now
        )
        invitation = session.scalars(found).one_or_none()
        if invitation is None or not tenant.is_active:
            raise InvalidRequest(_NOT_YOURS, field="token")
        if user.email_confirmed_at is None:
            raise InvalidRequest("Confirm your e-mail address first: POST /auth/confirm-email.")
        invitation.accepted_at, invitation.accepted_by = now, user.id
        join(session, tenant_id, user.id, invitation.role, actor=actor, now=now)
        return Membership(tenant, invitation.role)

    return transaction(work)


def end_all(
    session: Session, tenant_id: uuid.UUID, *, invited_by: str, actor: Principal, now: datetime
) -> None:
    """End the open invitations of a member, in the caller's transaction, which holds the tenant's row."""
    found = select(Invitation).where(_is_open(tenant_id), Invitation.invited_by == invited_by)
    _end(session, session.scalars(found).all(), actor=actor, now=now)


def _end(session: Session, ended: Sequence[Invitation], *, actor: Principal, now: datetime) -> None:
    for invitation in ended:
        invitation.revoked_at = now
        _record(session, EventType.MEMBER_INVITATION_REVOKED, invitation, {}, actor=actor, now=now)


def _end_expired(session: Session, tenant_id: uuid.UUID, *, now: datetime) -> None:
    """An expired invitation is ended when the next one is made, so that its address can be invited again."""
    is_over = _is_open(tenant_id) & (Invitation.expires_at <= now)
    session.execute(update(Invitation).where(is_over).values(revoked_at=Invitation.expires_at))


def _require_new(session: Session, tenant_id: uuid.UUID, email: str) -> None:
    """Raises InvalidRequest."""
    known = select(Member).join(User, User.id == Member.user_id)
    if session.scalars(known.where(Member.tenant_id == tenant_id, User.email == email)).first():
        raise InvalidRequest("This user is a member already.", field="email")
    if session.scalars(select(Invitation.id).where(_is_open(tenant_id), Invitation.email == email)).first():
        raise InvalidRequest("This address has an open invitation; revoke it first.", field="email")
    count = select(func.count()).select_from(Invitation).where(_is_open(tenant_id))
    if session.scalars(count).one() >= MAX_OPEN:
        raise InvalidRequest(f"A tenant has at most {MAX_OPEN} open invitations.")


def _is_open(tenant_id: uuid.UUID) -> ColumnElement[bool]:
    """Neither accepted nor revoked; it may have expired."""
    return (
        (Invitation.tenant_id == tenant_id)
        & Invitation.accepted_at.is_(None)
        & Invitation.revoked_at.is_(None)
    )


def _record(
    session: Session,
    event_type: EventType,
    invitation: Invitation,
    facts: dict[str, Any],
    *,
    actor: Principal,
    now: datetime,
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(invitation.id),
        data=facts,
        now=now,
        actor=actor,
        tenant_id=invitation.tenant_id,
        is_public=False,
    )


def _hash(token: str) -> bytes:
    """A token is random enough that a fast hash, without a salt, reveals nothing."""
    return hashlib.sha256(token.encode()).digest()
