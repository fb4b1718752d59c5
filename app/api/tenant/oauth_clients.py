"""The tenant's OAuth clients, and what applications were granted: /developers/oauth-clients and /developers/oauth-grants."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app.api.tenant.schemas.oauth_clients import (
    OAuthClientAnswer,
    OAuthClientMade,
    OAuthClientRequest,
    OAuthClientsAnswer,
    OAuthGrantRevoked,
    OAuthGrantsAnswer,
)
from app.api.tenant.views_oauth import oauth_client_view, oauth_grant_view
from app.errors import NotFound
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.oauth import client_changes, grant_changes
from app.services.oauth.client_changes import Registration

blueprint = Blueprint("oauth_clients", __name__, description="The tenant's OAuth clients.")

_PATH = "/developers/oauth-clients"
_GRANTS_PATH = "/developers/oauth-grants"
_SHOWN_ONCE = "Keep the secret; it is shown only now."


@blueprint.route(_PATH)
@operation("oauth_clients_list")
@blueprint.response(200, OAuthClientsAnswer)
def list_clients() -> Response:
    """The tenant's OAuth clients, those that are not disabled first, the newest of each first; at most 100."""
    found = client_changes.list_clients(current_principal().tenant_id)
    return respond({"count": len(found), "results": [oauth_client_view(one) for one in found]})


@blueprint.route(_PATH, methods=["POST"])
@operation("oauth_clients_create")
@blueprint.arguments(OAuthClientRequest)
@blueprint.response(201, OAuthClientMade)
def create_client(body: dict[str, Any]) -> Response:
    """Register a client; a tenant has at most 50 in use. Nothing of it changes later but the secret."""
    actor = current_principal()
    made, secret = client_changes.add_client(
        actor.tenant_id,
        Registration(body["name"], body["redirect_uris"], body["grants"], body["permissions"]),
        is_public=body["is_public"],
        operator=actor,
    )
    message = "The client is public: it has no secret." if secret is None else _SHOWN_ONCE
    return respond(oauth_client_view(made) | {"client_secret": secret, "message": message}, 201)


@blueprint.route(f"{_PATH}/<client_id>/rotate", methods=["POST"])
@operation("oauth_clients_rotate", errors=[NotFound])
@blueprint.response(201, OAuthClientMade)
def rotate_secret(client_id: str) -> Response:
    """A new secret; the old one is refused at once. Tokens stay."""
    actor = current_principal()
    client, secret = client_changes.rotate_secret(client_id, tenant_id=actor.tenant_id, operator=actor)
    return respond(oauth_client_view(client) | {"client_secret": secret, "message": _SHOWN_ONCE}, 201)


@blueprint.route(f"{_PATH}/<client_id>", methods=["DELETE"])
@operation("oauth_clients_disable", errors=[NotFound])
@blueprint.response(200, OAuthClientAnswer)
def disable_client(client_id: str) -> Response:
    """Refuse a client and all its tokens, at once and for ever."""
    actor = current_principal()
    client = client_changes.disable_client(client_id, tenant_id=actor.tenant_id, operator=actor)
    return respond(oauth_client_view(client) | {"message": "The client is disabled."})


@blueprint.route(_GRANTS_PATH)
@operation("oauth_grants_list")
@blueprint.response(200, OAuthGrantsAnswer)
def list_grants() -> Response:
    """What applications may do for the tenant by a member's consent, the newest first; at most 100."""
    found = grant_changes.list_grants(current_principal().tenant_id)
    return respond({"count": len(found), "results": [oauth_grant_view(one) for one in found]})


@blueprint.route(f"{_GRANTS_PATH}/<uuid:grant_id>", methods=["DELETE"])
@operation("oauth_grants_revoke", errors=[NotFound])
@blueprint.response(200, OAuthGrantRevoked)
def revoke_grant(grant_id: uuid.UUID) -> Response:
    """End a consent with all its tokens, at once and for ever."""
    actor = current_principal()
    grant_changes.revoke_grant(actor.tenant_id, grant_id, actor=actor)
    return respond({"message": "The application acts for the tenant no more."})
