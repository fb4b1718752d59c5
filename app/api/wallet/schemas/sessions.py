"""Bodies of one's own sessions, password and e-mail address."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from marshmallow import fields as ma

from app.api.wallet.schemas.auth import PASSWORD, MessageAnswer, UserFacts
from app.clock import iso_z
from app.http import fields
from app.http.answers import Answer, Time
from app.http.schema import Schema
from app.models.user import UserSession
from app.services.identity.email_confirmation import MAX_TOKEN_LENGTH
from app.services.identity.passwords import MAX_LENGTH


class PasswordRequest(Schema):
    examples: ClassVar = {
        "a new password": {"current_password": "SecurePass123!", "new_password": "Better-Pass-456"}
    }

    current_password = fields.Text(
        required=True, min_length=0, max_length=MAX_LENGTH, metadata={"format": "password"}
    )
    # Its strength is judged by the service, with a code of its own.
    new_password = fields.Text(required=True, min_length=0, max_length=MAX_LENGTH, metadata=PASSWORD)


class ConfirmationRequest(Schema):
    examples: ClassVar = {"a token": {"token": "q9vJ3mX0aT5yKcLr8uWbZ1dHnE6sGfPi2oVxQ7tMj4A"}}

    token = fields.Text(required=True, max_length=MAX_TOKEN_LENGTH)


class ConfirmationAnswer(MessageAnswer):
    user = ma.Nested(UserFacts)


class SessionFacts(Answer):
    id = ma.String(metadata={"examples": ["ses_0d4c2f6a9b8e4f1f8a7b6c5d4e3f2a1b"]})
    is_current = ma.Boolean(metadata={"description": "Whether it is the session of this request."})
    network = ma.String(
        allow_none=True,
        metadata={"description": "Where the login came from: an IPv4 address, or the /64 of an IPv6 one."},
    )
    created_at = Time(metadata={"description": "The login."})
    last_used_at = Time(metadata={"description": "The login, or the last refresh."})
    expires_at = Time(metadata={"description": "When it ends, unless it is refreshed or ended before."})


class SessionsAnswer(Answer):
    sessions = ma.List(ma.Nested(SessionFacts))


class SessionsEnded(MessageAnswer):
    sessions_ended = ma.Integer(metadata={"description": "How many."})


def session_view(session: UserSession, *, current: uuid.UUID) -> dict[str, Any]:
    """A session as its user sees it."""
    return {
        "id": session.public_id,
        "is_current": session.id == current,
        "network": session.network,
        "created_at": iso_z(session.created_at),
        "last_used_at": iso_z(session.last_used_at),
        "expires_at": iso_z(session.expires_at),
    }
