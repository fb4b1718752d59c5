"""The users who act for a tenant.

Guarantees: role and suspension are read from their row at each use, so that a change has effect at once in every process.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import ids
from app.errors import InvalidRequest, NotAMember
from app.events import outbox
from app.events.catalogue import EventType
from app.models.member import Member, Role, TenantScope
from app.models.tenant import Permission, Tenant
from app.models.user import User
from app.principal import Kind, Principal
from app.services.tenants.roles import API_KEY_ALONE, ROLES, require_scope
from app.unit_of_work import reading

MAX_MEMBERS: Final = 200
"""Members of a tenant, suspended ones among them."""

MAX_MEMBERSHIPS: Final = 100
"""Tenants that a login names: those the user joined first."""


@dataclass(frozen=True, slots=True)
class MemberDetail:
    """A member and the user they are."""

    member: Member
    user: User


@dataclass(frozen=True, slots=True)
class Membership:
    """A tenant that a user can act for, and in which role."""

    tenant: Tenant
    role: Role


def with_scopes(principal: Principal) -> Principal:
    """The principal with what its role lets it do now, or with what an API key may do alone: nothing, where it is restricted
    to permissions of the Processing API. Raises NotAMember."""
    if principal.user is None:
        is_restricted = (
            principal.permissions is not None and Permission.API_ADMIN not in principal.permissions
        )
        return replace(principal, scopes=frozenset() if is_restricted else frozenset(API_KEY_ALONE))
    with reading() as session:
        return _with_role(session, principal)


def list_members(tenant_id: uuid.UUID) -> list[MemberDetail]:
    """The tenant's members, the one who joined first first; at most MAX_MEMBERS."""
    wanted = (
        select(Member, User)
        .join(User, User.id == Member.user_id)
        .where(Member.tenant_id == tenant_id)
        .order_by(Member.created_at, Member.user_id)
        .limit(MAX_MEMBERS)
    )
    with reading() as session:
        return [MemberDetail(member, user) for member, user in session.execute(wanted)]


def memberships(user_id: uuid.UUID) -> list[Membership]:
    """The tenants that the user can act for now, the one they joined first first; at most MAX_MEMBERSHIPS."""
    wanted = (
        select(Tenant, Member.role)
        .join(Member, Member.tenant_id == Tenant.id)
        .where(Member.user_id == user_id, Member.suspended_at.is_(None), Tenant.is_active)
        .order_by(Member.created_at, Tenant.id)
        .limit(MAX_MEMBERSHIPS)
    )
    with reading() as session:
        return [Membership(tenant, role) for tenant, role in session.execute(wanted)]


def join(
    session: Session, tenant_id: uuid.UUID, user_id: uuid.UUID, role: Role, *, actor: Principal, now: datetime
) -> Member:
    """Add the member in the caller's transaction, which holds the tenant's row.

    Raises InvalidRequest: they are a member, or there are MAX_MEMBERS.
    """
    if session.get(Member, (tenant_id, user_id)) is not None:
        raise InvalidRequest("This user is a member already.")
    count = select(func.count()).select_from(Member).where(Member.tenant_id == tenant_id)
    if session.scalars(count).one() >= MAX_MEMBERS:
        raise InvalidRequest(f"A tenant has at most {MAX_MEMBERS} members.")
    member = Member(tenant_id=tenant_id, user_id=user_id, role=role, created_at=now)
    session.add(member)
    record(session, EventType.MEMBER_JOINED, member, {"role": role}, actor=actor, now=now)
    return member


def scopes_of(session: Session, tenant_id: uuid.UUID, actor: Principal) -> frozenset[TenantScope]:
    """What the actor may do with the tenant's people now, as the transaction that holds the tenant's row reads it: operators
    everything. Raises NotAMember, ScopeMissing (people:manage)."""
    if actor.kind in (Kind.OPERATOR, Kind.SYSTEM):
        return frozenset(TenantScope)
    assert actor.tenant == tenant_id, "a member acts for their own tenant"
    now_known = _with_role(session, actor)
    require_scope(now_known, (TenantScope.PEOPLE_MANAGE,))
    return frozenset(map(TenantScope, now_known.scopes))


def _with_role(session: Session, principal: Principal) -> Principal:
    wanted = select(Member.role).where(
        Member.tenant_id == principal.tenant_id,
        Member.user_id == principal.user_id,
        Member.suspended_at.is_(None),
    )
    role = session.scalars(wanted).one_or_none()
    if role is None:
        raise NotAMember
    return replace(principal, scopes=frozenset(ROLES[role]))


def record(
    session: Session,
    event_type: EventType,
    member: Member,
    facts: dict[str, Any],
    *,
    actor: Principal,
    now: datetime,
) -> None:
    """An event about the member, for the audit log only."""
    outbox.record(
        session,
        event_type,
        object_id=ids.public(ids.USER, member.user_id),
        data=facts,
        now=now,
        actor=actor,
        tenant_id=member.tenant_id,
        is_public=False,
    )
