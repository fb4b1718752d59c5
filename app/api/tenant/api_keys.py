"""The tenant's API keys: /api-keys."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app.api.tenant.schemas.api_keys import KeyAnswer, KeyMade, KeyRequest, KeysAnswer, RotationRequest
from app.api.tenant.views_keys import key_view
from app.errors import NotFound
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.models.tenant import ApiKey
from app.services.tenants import key_changes

blueprint = Blueprint("api_keys", __name__, description="The tenant's API keys.")

_SHOWN_ONCE = "Keep the key; it is shown only now."


@blueprint.route("/api-keys")
@operation("api_keys_list")
@blueprint.response(200, KeysAnswer)
def list_keys() -> Response:
    """The tenant's keys, those that are not revoked first, the newest of each first; at most 100."""
    found = key_changes.list_keys(current_principal().tenant_id)
    return respond({"count": len(found), "results": [key_view(one) for one in found]})


@blueprint.route("/api-keys", methods=["POST"])
@operation("api_keys_create")
@blueprint.arguments(KeyRequest)
@blueprint.response(201, KeyMade)
def create_key(body: dict[str, Any]) -> Response:
    """Another key; a tenant has at most 50 in use. One with `permissions` is restricted to them for ever."""
    actor = current_principal()
    made, text = key_changes.add_api_key(
        actor.tenant_id, body["name"], permissions=body.get("permissions"), operator=actor
    )
    return respond(key_view(made) | {"key": text, "message": _SHOWN_ONCE}, 201)


@blueprint.route("/api-keys/<uuid:key_id>", methods=["DELETE"])
@operation("api_keys_revoke", errors=[NotFound])
@blueprint.response(200, KeyAnswer)
def revoke_key(key_id: uuid.UUID) -> Response:
    """Refuse a key, at once and for ever."""
    actor = current_principal()
    revoked = key_changes.revoke_api_key(key_id, tenant_id=actor.tenant_id, operator=actor)
    return _answer(revoked, "The key is revoked.")


@blueprint.route("/api-keys/<uuid:key_id>/rotate", methods=["POST"])
@operation("api_keys_rotate", errors=[NotFound])
@blueprint.arguments(RotationRequest)
@blueprint.response(201, KeyMade)
def rotate_key(body: dict[str, Any], key_id: uuid.UUID) -> Response:
    """A new key with the same name and permissions; the old one is refused after the overlap. Each key is rotated once."""
    actor = current_principal()
    made, text = key_changes.rotate_api_key(
        key_id, tenant_id=actor.tenant_id, overlap_hours=body["overlap_hours"], operator=actor
    )
    return respond(key_view(made) | {"key": text, "message": _SHOWN_ONCE}, 201)


@blueprint.route("/api-keys/<uuid:key_id>/suspend", methods=["POST"])
@operation("api_keys_suspend", errors=[NotFound])
@blueprint.response(200, KeyAnswer)
def suspend_key(key_id: uuid.UUID) -> Response:
    """Refuse a key, at once, until it is resumed."""
    actor = current_principal()
    key, _ = key_changes.suspend_api_key(key_id, tenant_id=actor.tenant_id, operator=actor)
    return _answer(key, "The key is suspended.")


@blueprint.route("/api-keys/<uuid:key_id>/resume", methods=["POST"])
@operation("api_keys_resume", errors=[NotFound])
@blueprint.response(200, KeyAnswer)
def resume_key(key_id: uuid.UUID) -> Response:
    """Accept a suspended key again."""
    actor = current_principal()
    key, _ = key_changes.resume_api_key(key_id, tenant_id=actor.tenant_id, operator=actor)
    return _answer(key, "The key is accepted again.")


def _answer(key: ApiKey, message: str) -> Response:
    return respond(key_view(key) | {"message": message})
