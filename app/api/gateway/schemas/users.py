"""Bodies of operators' routes about users."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Answer
from app.http.schema import Schema
from app.services.reasons import MAX_REASON


class ReasonRequest(Schema):
    examples: ClassVar = {"a reason": {"reason": "fraud report 4711"}}

    reason = fields.Text(
        required=True,
        max_length=MAX_REASON,
        metadata={"description": "Kept in the event log for ever: a case number rather than personal data."},
    )


class UserState(Answer):
    user_id = ma.String()
    is_active = ma.Boolean()
    changed = ma.Boolean(metadata={"description": "False: the user was in this state already."})


class UserStateAnswer(Answer):
    success = ma.Boolean()
    data = ma.Nested(UserState)


class EndedSessions(Answer):
    user_id = ma.String()
    sessions_ended = ma.Integer(metadata={"description": "How many."})


class SessionsEndedAnswer(Answer):
    success = ma.Boolean()
    data = ma.Nested(EndedSessions)
