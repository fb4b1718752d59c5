"""Invitations to become a member: /invitations."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app.api.tenant.schemas.people import (
    AcceptedAnswer,
    AcceptRequest,
    Done,
    InvitationMade,
    InvitationRequest,
    InvitationsAnswer,
)
from app.api.tenant.views_people import invitation_view, membership_view
from app.errors import NotFound
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.models.member import Role
from app.services.tenants import invitations

blueprint = Blueprint("invitations", __name__, description="Invitations to become a member.")


@blueprint.route("/invitations", methods=["POST"])
@operation("invitations_create")
@blueprint.arguments(InvitationRequest)
@blueprint.response(201, InvitationMade)
def create_invitation(body: dict[str, Any]) -> Response:
    """Invite an e-mail address into a role of which you have every scope. The token works once, for 72 hours: send it to the
    address."""
    actor = current_principal()
    made, token = invitations.invite(actor.tenant_id, body["email"], Role(body["role"]), actor=actor)
    message = "Send the token to the invited address; it is shown only now."
    return respond(invitation_view(made) | {"token": token, "message": message}, 201)


@blueprint.route("/invitations")
@operation("invitations_list")
@blueprint.response(200, InvitationsAnswer)
def list_invitations() -> Response:
    """The tenant's open invitations, the newest first; at most 100."""
    found = invitations.list_invitations(current_principal().tenant_id)
    return respond({"count": len(found), "results": [invitation_view(one) for one in found]})


@blueprint.route("/invitations/<uuid:invitation_id>", methods=["DELETE"])
@operation("invitations_revoke", errors=[NotFound])
@blueprint.response(200, Done)
def revoke_invitation(invitation_id: uuid.UUID) -> Response:
    """End an open invitation. You need every scope of its role."""
    actor = current_principal()
    invitations.revoke_invitation(actor.tenant_id, invitation_id, actor=actor)
    return respond({"message": "The invitation is revoked."})


@blueprint.route("/invitations/accept", methods=["POST"])
@operation("invitations_accept")
@blueprint.arguments(AcceptRequest)
@blueprint.response(200, AcceptedAnswer)
def accept_invitation(body: dict[str, Any]) -> Response:
    """Become a member, with an access token alone. Your confirmed e-mail address must be the invited one."""
    joined = invitations.accept(current_principal(), body["token"])
    return respond({"message": "You are a member now.", "tenant": membership_view(joined)})
