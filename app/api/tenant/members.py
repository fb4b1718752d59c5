"""The tenant's members: /members."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app import ids
from app.api.tenant.schemas.people import (
    Done,
    MemberAnswer,
    MembersAnswer,
    RoleRequest,
    SuspensionRequest,
)
from app.api.tenant.views_people import member_view
from app.errors import NotFound
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.models.member import Role
from app.services.tenants import member_changes, members
from app.services.tenants.members import MemberDetail

blueprint = Blueprint("members", __name__, description="The tenant's people.")


@blueprint.route("/members")
@operation("members_list")
@blueprint.response(200, MembersAnswer)
def list_members() -> Response:
    """The tenant's members, the one who joined first first; at most 200."""
    found = members.list_members(current_principal().tenant_id)
    return respond({"count": len(found), "results": [member_view(one) for one in found]})


@blueprint.route("/members/<user_id>", methods=["PUT"])
@operation("members_set_role", errors=[NotFound])
@blueprint.arguments(RoleRequest)
@blueprint.response(200, MemberAnswer)
def set_role(body: dict[str, Any], user_id: str) -> Response:
    """Give a member another role. You need every scope of both roles, and cannot change your own."""
    actor = current_principal()
    changed = member_changes.set_role(actor.tenant_id, _id(user_id), Role(body["role"]), actor=actor)
    return _answer(changed, "The member has this role now.")


@blueprint.route("/members/<user_id>", methods=["DELETE"])
@operation("members_remove", errors=[NotFound])
@blueprint.response(200, Done)
def remove_member(user_id: str) -> Response:
    """End a membership, at once. You need every scope of the member's role; the last active Owner stays."""
    actor = current_principal()
    member_changes.remove_member(actor.tenant_id, _id(user_id), actor=actor)
    return respond({"message": "The member is removed."})


@blueprint.route("/members/<user_id>/suspend", methods=["POST"])
@operation("members_suspend", errors=[NotFound])
@blueprint.arguments(SuspensionRequest)
@blueprint.response(200, MemberAnswer)
def suspend_member(body: dict[str, Any], user_id: str) -> Response:
    """Refuse what the member asks of this tenant, at once. You need every scope of the member's role; the last active Owner stays."""
    actor = current_principal()
    changed = member_changes.suspend_member(actor.tenant_id, _id(user_id), reason=body["reason"], actor=actor)
    return _answer(changed, "The member is suspended.")


@blueprint.route("/members/<user_id>/resume", methods=["POST"])
@operation("members_resume", errors=[NotFound])
@blueprint.response(200, MemberAnswer)
def resume_member(user_id: str) -> Response:
    """End a member's suspension. You need every scope of the member's role."""
    actor = current_principal()
    return _answer(
        member_changes.resume_member(actor.tenant_id, _id(user_id), actor=actor), "The member is active."
    )


def _id(user_id: str) -> uuid.UUID:
    found = ids.parse(ids.USER, user_id)
    if found is None:
        raise NotFound("The tenant has no such member.")
    return found


def _answer(detail: MemberDetail, message: str) -> Response:
    return respond(member_view(detail) | {"message": message})
