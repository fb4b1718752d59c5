"""Presenters of OAuth clients and grants."""

from __future__ import annotations

from typing import Any

from app import ids
from app.clock import iso_z
from app.models.oauth import OAuthClient
from app.services.oauth.grant_changes import GrantDetail


def oauth_client_view(client: OAuthClient) -> dict[str, Any]:
    """Without the secret, which is not stored."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "is_public": client.secret_hash is None,
        "grants": client.grants,
        "redirect_uris": client.redirect_uris,
        "permissions": client.permissions,
        "created_at": iso_z(client.created_at),
        "created_by": client.created_by,
        "disabled_at": iso_z(client.disabled_at) if client.disabled_at is not None else None,
    }


def oauth_grant_view(detail: GrantDetail) -> dict[str, Any]:
    grant = detail.grant
    return {
        "id": grant.id,
        "client_id": detail.client.client_id,
        "name": detail.client.name,
        "permissions": grant.permissions,
        "granted_by": ids.public(ids.USER, grant.user_id) if grant.user_id is not None else None,
        "created_at": iso_z(grant.created_at),
    }
