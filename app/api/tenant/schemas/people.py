"""Bodies of members and invitations."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Answer, Time, one_of
from app.http.schema import Schema
from app.models.member import Role
from app.services.identity import emails
from app.services.reasons import MAX_REASON
from app.services.tenants.invitations import MAX_TOKEN_LENGTH


class RoleRequest(Schema):
    examples: ClassVar = {"a role": {"role": "finance"}}

    role = fields.Choice(*Role, required=True)


class InvitationRequest(RoleRequest):
    examples: ClassVar = {"an invitation": {"email": "dana@example.com", "role": "finance"}}

    email = fields.Text(
        required=True, max_length=emails.MAX_LENGTH, metadata={"examples": ["dana@example.com"]}
    )


class AcceptRequest(Schema):
    examples: ClassVar = {"a token": {"token": "q9vJ3mX0aT5yKcLr8uWbZ1dHnE6sGfPi2oVxQ7tMj4A"}}

    token = fields.Text(required=True, max_length=MAX_TOKEN_LENGTH)


class SuspensionRequest(Schema):
    examples: ClassVar = {"a reason": {"reason": "on leave"}}

    reason = fields.Text(
        required=True, max_length=MAX_REASON, metadata={"description": "Kept in the audit log for ever."}
    )


class MemberFacts(Answer):
    user_id = ma.String(metadata={"examples": ["usr_0d4c2f6a9b8e4f1f8a7b6c5d4e3f2a1b"]})
    email = ma.String()
    first_name = ma.String()
    last_name = ma.String()
    role = one_of(*Role)
    status = one_of("active", "suspended")
    joined_at = Time()
    suspended_at = Time(allow_none=True)


class MembersAnswer(Answer):
    count = ma.Integer()
    results = ma.List(ma.Nested(MemberFacts))


class MemberAnswer(MemberFacts):
    message = ma.String()


class InvitationFacts(Answer):
    id = ma.UUID()
    email = ma.String()
    role = one_of(*Role)
    invited_by = ma.String(
        metadata={"description": "A user (`usr_…`), or an operator of the gateway (`cli:…`)."}
    )
    created_at = Time()
    expires_at = Time()


class InvitationsAnswer(Answer):
    count = ma.Integer()
    results = ma.List(ma.Nested(InvitationFacts))


class InvitationMade(InvitationFacts):
    token = ma.String(metadata={"description": "What the invitation is accepted with. Shown only here."})
    message = ma.String()


class TenantOfMember(Answer):
    id = ma.UUID()
    name = ma.String()
    role = one_of(*Role)


class AcceptedAnswer(Answer):
    message = ma.String()
    tenant = ma.Nested(TenantOfMember)


class Done(Answer):
    message = ma.String()
