"""Where a client finds the authorization server's routes, and what it supports (RFC 8414)."""

from __future__ import annotations

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from flask import Response, current_app

from app.api.processing.schemas.oauth import OAuthMetadata
from app.http.blueprint import Blueprint
from app.http.operation import operation
from app.http.responses import respond
from app.models.tenant import Permission
from app.services.oauth.clients import GrantType

blueprint = Blueprint("oauth_metadata", __name__, description="The authorization server.")

_WITH_SECRET = ["client_secret_basic", "client_secret_post"]


@blueprint.route("/.well-known/oauth-authorization-server")
@operation("oauth_metadata_get")
@blueprint.response(200, OAuthMetadata)
def get_metadata() -> Response:
    """Describe the authorization server"""
    issuer = current_app.config["PUBLIC_URL"]
    return respond(
        AuthorizationServerMetadata(
            issuer=issuer,
            authorization_endpoint=f"{issuer}/v1/oauth/authorize",
            token_endpoint=f"{issuer}/v1/oauth/token",
            revocation_endpoint=f"{issuer}/v1/oauth/revoke",
            introspection_endpoint=f"{issuer}/v1/oauth/introspect",
            scopes_supported=list(Permission),
            response_types_supported=["code"],
            response_modes_supported=["query"],
            grant_types_supported=list(GrantType),
            token_endpoint_auth_methods_supported=[*_WITH_SECRET, "none"],
            revocation_endpoint_auth_methods_supported=[*_WITH_SECRET, "none"],
            introspection_endpoint_auth_methods_supported=_WITH_SECRET,
            code_challenge_methods_supported=["S256"],
        )
    )
