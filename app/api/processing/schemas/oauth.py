"""Parameters and answers of the OAuth routes."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields as ma

from app.http.answers import Answer, one_of
from app.http.oauth import parameter
from app.http.schema import Schema
from app.models.tenant import Permission
from app.services.oauth.clients import GrantType


class OAuthClientCredentials(Schema):
    client_id = parameter("Where it is not in the header Authorization.")
    client_secret = parameter("Where it is not in the header Authorization.")


class OAuthTokenRequest(OAuthClientCredentials):
    examples: ClassVar = {
        "a code": {
            "grant_type": GrantType.AUTHORIZATION_CODE,
            "code": "authcode_abc123def456",
            "client_id": "my_app",
            "client_secret": "my_secret",
        },
        "client credentials": {
            "grant_type": GrantType.CLIENT_CREDENTIALS,
            "client_id": "my_service",
            "client_secret": "my_secret",
        },
    }

    grant_type = parameter(f"Required: {', '.join(GrantType)}.")
    code = parameter("Of authorization_code.")
    redirect_uri = parameter("Optional; must be the one of the authorization request.")
    code_verifier = parameter("PKCE; required where there was a code_challenge.")
    refresh_token = parameter("Of refresh_token.")
    scope = parameter(
        "Of refresh_token: fewer permissions than before. Of client_credentials: payments:read."
    )


class OAuthTokenReference(OAuthClientCredentials):
    examples: ClassVar = {
        "a token": {"token": "tok_abc123def456", "client_id": "my_app", "client_secret": "my_secret"}
    }

    token = parameter("Required: an access token or a refresh token.")
    token_type_hint = parameter("Is not needed.")


class OAuthAuthorization(Answer):
    """redirect_uri: with the code and the state. expires_in: seconds."""

    authorization_code = ma.String(metadata={"examples": ["authcode_abc123def456"]})
    redirect_uri = ma.String(metadata={"format": "uri"})
    expires_in = ma.Integer()


class OAuthTokens(Answer):
    """expires_in: seconds, of the access token. scope: what it may do."""

    optional = frozenset({"refresh_token"})

    access_token = ma.String(metadata={"examples": ["tok_abc123def456"]})
    token_type = one_of("Bearer")
    expires_in = ma.Integer()
    refresh_token = ma.String(metadata={"examples": ["rtok_def456"]})
    scope = ma.String(metadata={"examples": [f"{Permission.PAYMENTS_READ}"]})


class OAuthRevocation(Answer):
    """Nothing: the token is not good any more, whether it was or not."""


class OAuthIntrospection(Answer):
    """Of a token that is not good, or another client's, `active` alone. exp, iat: seconds since 1970. sub: the user who consented,
    else the tenant."""

    optional = frozenset({"scope", "client_id", "token_type", "exp", "iat", "sub"})

    active = ma.Boolean()
    scope = ma.String()
    client_id = ma.String()
    token_type = one_of("Bearer")
    exp = ma.Integer()
    iat = ma.Integer()
    sub = ma.String()


class OAuthMetadata(Answer):
    """RFC 8414."""

    issuer = ma.String(metadata={"format": "uri"})
    authorization_endpoint = ma.String(metadata={"format": "uri"})
    token_endpoint = ma.String(metadata={"format": "uri"})
    revocation_endpoint = ma.String(metadata={"format": "uri"})
    introspection_endpoint = ma.String(metadata={"format": "uri"})
    scopes_supported = ma.List(ma.String())
    response_types_supported = ma.List(ma.String())
    response_modes_supported = ma.List(ma.String())
    grant_types_supported = ma.List(ma.String())
    token_endpoint_auth_methods_supported = ma.List(ma.String())
    revocation_endpoint_auth_methods_supported = ma.List(ma.String())
    introspection_endpoint_auth_methods_supported = ma.List(ma.String())
    code_challenge_methods_supported = ma.List(ma.String())
