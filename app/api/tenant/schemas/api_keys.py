"""Bodies of a tenant's API keys."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Answer, Time, one_of
from app.http.schema import Schema
from app.models.tenant import Permission
from app.services.tenants.api_keys import MAX_NAME
from app.services.tenants.key_changes import DEFAULT_OVERLAP_HOURS, MAX_OVERLAP_HOURS


class KeyRequest(Schema):
    examples: ClassVar = {
        "a name": {"name": "shop backend"},
        "restricted": {"name": "reports", "permissions": ["payments:read"]},
    }

    name = fields.Text(required=True, max_length=MAX_NAME)
    permissions = fields.ListOf(
        fields.Choice(*Permission),
        maximum=len(Permission),
        metadata={"description": "What the key may do; left out: everything."},
    )


class RotationRequest(Schema):
    examples: ClassVar = {"at once": {"overlap_hours": 0}}

    overlap_hours = fields.WholeNumber(
        minimum=0,
        maximum=MAX_OVERLAP_HOURS,
        load_default=DEFAULT_OVERLAP_HOURS,
        metadata={"description": "How long the old key is still accepted."},
    )


class KeyFacts(Answer):
    id = ma.UUID()
    name = ma.String()
    prefix = ma.String(
        metadata={"description": "The key's first 16 characters.", "examples": ["mlp_0d4c2f6a9b8e"]}
    )
    permissions = ma.List(
        one_of(*Permission), allow_none=True, metadata={"description": "What it may do; null: everything."}
    )
    created_at = Time()
    created_by = ma.String(
        allow_none=True,
        metadata={"description": "A user (`usr_…`), an operator (`cli:…`) or the gateway (`system`)."},
    )
    last_used_at = Time(allow_none=True, metadata={"description": "To a minute."})
    expires_at = Time(allow_none=True, metadata={"description": "The end of the overlap of a rotated key."})
    suspended_at = Time(allow_none=True)
    revoked_at = Time(allow_none=True)


class KeysAnswer(Answer):
    count = ma.Integer()
    results = ma.List(ma.Nested(KeyFacts))


class KeyAnswer(KeyFacts):
    message = ma.String()


class KeyMade(KeyAnswer):
    key = ma.String(metadata={"description": "The key. Shown only here."})
