"""For operators: suspending and reactivating users, and ending their sessions."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app import ids
from app.api.gateway.schemas.users import ReasonRequest, SessionsEndedAnswer, UserStateAnswer
from app.errors import NotFound
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.identity import sessions, suspension

blueprint = Blueprint("users", __name__, description="For operators.")


@blueprint.route("/admin/users/<user_id>/suspend", methods=["POST"])
@operation("users_suspend", errors=[NotFound])
@blueprint.arguments(ReasonRequest)
@blueprint.response(200, UserStateAnswer)
def suspend_user(body: dict[str, Any], user_id: str) -> Response:
    """Refuse a user's tokens and logins from now on. Sessions are kept for a reactivation."""
    changed = suspension.suspend_user(_id(user_id), reason=body["reason"], operator=current_principal())
    return _state(user_id, is_active=False, changed=changed)


@blueprint.route("/admin/users/<user_id>/reactivate", methods=["POST"])
@operation("users_reactivate", errors=[NotFound])
@blueprint.arguments(ReasonRequest)
@blueprint.response(200, UserStateAnswer)
def reactivate_user(body: dict[str, Any], user_id: str) -> Response:
    """Accept a suspended user's tokens and logins again."""
    changed = suspension.reactivate_user(_id(user_id), reason=body["reason"], operator=current_principal())
    return _state(user_id, is_active=True, changed=changed)


@blueprint.route("/admin/users/<user_id>/end-sessions", methods=["POST"])
@operation("users_end_sessions", errors=[NotFound])
@blueprint.arguments(ReasonRequest)
@blueprint.response(200, SessionsEndedAnswer)
def end_sessions(body: dict[str, Any], user_id: str) -> Response:
    """End all sessions of a user, who may log in again."""
    ended = sessions.end_all_sessions(_id(user_id), reason=body["reason"], operator=current_principal())
    return respond({"success": True, "data": {"user_id": user_id, "sessions_ended": ended}})


def _id(user_id: str) -> uuid.UUID:
    found = ids.parse(ids.USER, user_id)
    if found is None:
        raise NotFound("No user has this id.")
    return found


def _state(user_id: str, *, is_active: bool, changed: bool) -> Response:
    data = {"user_id": user_id, "is_active": is_active, "changed": changed}
    return respond({"success": True, "data": data})
