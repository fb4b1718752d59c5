"""The users who act for a tenant.

Guarantees: role and suspension are read from their row at each use, so that a change has effect at once in every process.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from app.errors import NotAMember
from app.models.member import Member
from app.principal import Principal
from app.services.tenants.roles import API_KEY_ALONE, ROLES
from app.unit_of_work import reading


def with_scopes(principal: Principal) -> Principal:
    """The principal with what its role lets it do now, or with what an API key may do alone. Raises NotAMember."""
    if principal.user is None:
        return replace(principal, scopes=frozenset(API_KEY_ALONE))
    wanted = select(Member.role).where(
        Member.tenant_id == principal.tenant_id,
        Member.user_id == principal.user_id,
        Member.suspended_at.is_(None),
    )
    with reading() as session:
        role = session.scalars(wanted).one_or_none()
    if role is None:
        raise NotAMember
    return replace(principal, scopes=frozenset(ROLES[role]))
