"""Presenters of members and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.clock import iso_z
from app.models.member import Invitation
from app.services.tenants.members import MemberDetail, Membership


def member_view(detail: MemberDetail) -> dict[str, Any]:
    member, user = detail.member, detail.user
    return {
        "user_id": user.public_id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "role": member.role,
        "status": "active" if member.suspended_at is None else "suspended",
        "joined_at": iso_z(member.created_at),
        "suspended_at": _time(member.suspended_at),
    }


def membership_view(membership: Membership) -> dict[str, Any]:
    """A tenant as one of its members sees it."""
    return {"id": membership.tenant.id, "name": membership.tenant.name, "role": membership.role}


def invitation_view(invitation: Invitation) -> dict[str, Any]:
    """Without its token, which is not stored."""
    return {
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "invited_by": invitation.invited_by,
        "created_at": iso_z(invitation.created_at),
        "expires_at": iso_z(invitation.expires_at),
    }


def _time(moment: datetime | None) -> str | None:
    return iso_z(moment) if moment is not None else None
