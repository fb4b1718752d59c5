"""OAuth 2: authorization, tokens, their revocation and introspection (document 003; RFC 6749, 7009, 7636, 7662)."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, current_app, request

from app.api.processing.schemas.oauth import (
    OAuthAuthorization,
    OAuthIntrospection,
    OAuthRevocation,
    OAuthTokenReference,
    OAuthTokenRequest,
    OAuthTokens,
)
from app.errors import OAuthClientRefused, OAuthRefused
from app.http.oauth import Blueprint, OAuthAuthorizeQuery
from app.http.operation import operation
from app.http.responses import respond
from app.principal import SYSTEM
from app.services.oauth import credentials, grants, server

authorize_blueprint = Blueprint("oauth_authorize", __name__, description="OAuth 2: a user's consent.")
blueprint = Blueprint("oauth", __name__, description="OAuth 2: tokens of applications.")

_NOT_CACHED: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""RFC 6749, 5.1."""


@authorize_blueprint.route("/oauth/authorize")
@operation("oauth_authorize", errors=[OAuthRefused])
@authorize_blueprint.arguments(OAuthAuthorizeQuery, location="query")
@authorize_blueprint.response(200, OAuthAuthorization)
@authorize_blueprint.alt_response(
    302,
    schema=OAuthAuthorization,
    content_type="text/html",
    description="In production: to the page where a user consents, or back to the application with an error.",
)
def authorize(query: dict[str, str]) -> Response:
    """A code for an application. In production a user must consent; elsewhere it acts for the client's own tenant"""
    if current_app.config["IS_PRODUCTION"]:
        return _to_consent(query)
    asked = server.authorization(query)
    code = grants.authorize(
        asked.client,
        tenant_id=asked.client.tenant_id,
        permissions=asked.permissions,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        actor=SYSTEM,
    )
    body = {
        "authorization_code": code,
        "redirect_uri": asked.redirect(code=code),
        "expires_in": credentials.CODE_LIFE_S,
    }
    return respond(body, headers=_NOT_CACHED)


@blueprint.route("/oauth/token", methods=["POST"])
@operation("oauth_token_create", errors=[OAuthRefused, OAuthClientRefused])
@blueprint.arguments(OAuthTokenRequest)
@blueprint.response(200, OAuthTokens)
def create_token(body: dict[str, str]) -> Response:
    """Tokens for a code, for a refresh token, or for the client itself. A code and a refresh token work once"""
    return respond(server.exchange(body, **_caller()), headers=_NOT_CACHED)


@blueprint.route("/oauth/revoke", methods=["POST"])
@operation("oauth_token_revoke", errors=[OAuthRefused, OAuthClientRefused])
@blueprint.arguments(OAuthTokenReference)
@blueprint.response(200, OAuthRevocation)
def revoke_token(body: dict[str, str]) -> Response:
    """End a token of the client's; a refresh token with all that came of its authorization"""
    server.revoke(body, **_caller())
    return respond({}, headers=_NOT_CACHED)


@blueprint.route("/oauth/introspect", methods=["POST"])
@operation("oauth_token_introspect", errors=[OAuthRefused, OAuthClientRefused])
@blueprint.arguments(OAuthTokenReference)
@blueprint.response(200, OAuthIntrospection)
def introspect_token(body: dict[str, str]) -> Response:
    """Whether a token of the client's is good, and for what"""
    return respond(server.introspect(body, **_caller()), headers=_NOT_CACHED)


def _to_consent(query: dict[str, str]) -> Response:
    try:
        server.authorization(query)
        target = f"/oauth/consent?{urlencode(query)}"
    except OAuthRefused as error:
        if error.redirect_uri is None:
            raise
        target = server.redirect(error.redirect_uri, query.get("state"), {"error": error.error_code})
    return Response(status=302, headers={"Location": target} | _NOT_CACHED, mimetype="text/html")


def _caller() -> dict[str, Any]:
    return {"authorization": request.headers.get("Authorization"), "address": request.remote_addr}
