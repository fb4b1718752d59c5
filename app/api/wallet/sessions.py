"""One's own sessions, password and e-mail address: /auth/sessions, /auth/password, /auth/confirm-email."""

from __future__ import annotations

from typing import Any

from flask import Response

from app import ids
from app.api.wallet.schemas.auth import MessageAnswer, user_view
from app.api.wallet.schemas.sessions import (
    ConfirmationAnswer,
    ConfirmationRequest,
    PasswordRequest,
    SessionsAnswer,
    SessionsEnded,
    session_view,
)
from app.errors import InvalidCredentials, NotFound, WeakPassword
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.identity import email_confirmation, password_change, sessions

blueprint = Blueprint(
    "sessions", __name__, description="Your sessions, your password and your e-mail address."
)


@blueprint.route("/auth/sessions")
@operation("sessions_list")
@blueprint.response(200, SessionsAnswer)
def list_sessions() -> Response:
    """Your sessions that have not ended, the one that was used last first; at most 100."""
    actor = current_principal()
    mine = sessions.list_live(actor.user_id)
    return respond({"sessions": [session_view(one, current=actor.session_id) for one in mine]})


@blueprint.route("/auth/sessions/<session_id>", methods=["DELETE"])
@operation("sessions_end", errors=[NotFound])
@blueprint.response(200, MessageAnswer)
def end_session(session_id: str) -> Response:
    """End one of your sessions, this one too: its tokens stop working at once."""
    wanted = ids.parse(ids.SESSION, session_id)
    if wanted is None:
        raise NotFound("You have no session with this id.")
    sessions.end_session(current_principal(), wanted)
    return respond({"status": "success", "message": "The session has ended."})


@blueprint.route("/auth/sessions", methods=["DELETE"])
@operation("sessions_end_others")
@blueprint.response(200, SessionsEnded)
def end_other_sessions() -> Response:
    """End all your sessions but this one."""
    return _ended(sessions.end_other_sessions(current_principal()), "Your other sessions have ended.")


@blueprint.route("/auth/password", methods=["POST"])
@operation("passwords_change", errors=[InvalidCredentials, WeakPassword])
@blueprint.arguments(PasswordRequest)
@blueprint.response(200, SessionsEnded)
def change_password(body: dict[str, Any]) -> Response:
    """Change your password, and end all your sessions but this one."""
    ended = password_change.change_password(
        current_principal(), body["current_password"], body["new_password"]
    )
    return _ended(ended, "Your password has changed, and your other sessions have ended.")


@blueprint.route("/auth/confirm-email", methods=["POST"])
@operation("emails_confirm")
@blueprint.arguments(ConfirmationRequest)
@blueprint.response(200, ConfirmationAnswer)
def confirm_email(body: dict[str, Any]) -> Response:
    """Confirm your e-mail address with the token that was sent to it. Until then you are not paid by it."""
    user = email_confirmation.confirm(current_principal(), body["token"])
    message = "Your e-mail address is confirmed."
    return respond({"status": "success", "message": message, "user": user_view(user)})


def _ended(count: int, message: str) -> Response:
    return respond({"status": "success", "message": message, "sessions_ended": count})
