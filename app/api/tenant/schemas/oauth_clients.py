"""Bodies of a tenant's OAuth clients."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Answer, Time, one_of
from app.http.schema import Schema
from app.models.tenant import Permission
from app.services.oauth.client_changes import MAX_REDIRECT_URI, MAX_REDIRECT_URIS
from app.services.oauth.clients import GrantType
from app.services.tenants.api_keys import MAX_NAME


class OAuthClientRequest(Schema):
    examples: ClassVar = {
        "a web application": {
            "name": "Bookkeeping",
            "redirect_uris": ["https://books.example/callback"],
            "permissions": ["payments:read"],
        },
        "a service": {
            "name": "Reports",
            "grants": ["client_credentials"],
            "permissions": ["payments:read"],
        },
    }

    name = fields.Text(required=True, max_length=MAX_NAME, metadata={"description": "Users see it."})
    permissions = fields.ListOf(
        fields.Choice(*Permission),
        required=True,
        maximum=len(Permission),
        metadata={"description": "The most that can be granted to it."},
    )
    grants = fields.ListOf(
        fields.Choice(*GrantType),
        maximum=len(GrantType),
        load_default=lambda: [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN],
        metadata={"description": "Left out: authorization_code and refresh_token."},
    )
    redirect_uris = fields.ListOf(
        fields.Text(max_length=MAX_REDIRECT_URI),
        maximum=MAX_REDIRECT_URIS,
        load_default=list,
        metadata={"description": "Compared as they are spelt: https, or http on localhost."},
    )
    is_public = fields.Flag(
        load_default=False,
        metadata={"description": "It can keep no secret (an app, a page), and proves itself by PKCE."},
    )


class OAuthClientFacts(Answer):
    client_id = ma.String(metadata={"examples": ["client_0d4c2f6a9b8e4f1f8a7b6c5d"]})
    name = ma.String()
    is_public = ma.Boolean()
    grants = ma.List(one_of(*GrantType))
    redirect_uris = ma.List(ma.String())
    permissions = ma.List(one_of(*Permission))
    created_at = Time()
    created_by = ma.String(
        metadata={"description": "A user (`usr_…`), an operator (`cli:…`) or the gateway (`system`)."}
    )
    disabled_at = Time(allow_none=True)


class OAuthClientsAnswer(Answer):
    count = ma.Integer()
    results = ma.List(ma.Nested(OAuthClientFacts))


class OAuthClientAnswer(OAuthClientFacts):
    message = ma.String()


class OAuthGrantFacts(Answer):
    """granted_by: the user who consented; null for a demo's grants, to which the tenant's own applications help themselves."""

    id = ma.UUID()
    client_id = ma.String(metadata={"examples": ["client_0d4c2f6a9b8e4f1f8a7b6c5d"]})
    name = ma.String()
    permissions = ma.List(one_of(*Permission))
    granted_by = ma.String(allow_none=True)
    created_at = Time()


class OAuthGrantsAnswer(Answer):
    count = ma.Integer()
    results = ma.List(ma.Nested(OAuthGrantFacts))


class OAuthGrantRevoked(Answer):
    message = ma.String()


class OAuthClientMade(OAuthClientAnswer):
    client_secret = ma.String(
        allow_none=True, metadata={"description": "Shown only here; null for a public client."}
    )
