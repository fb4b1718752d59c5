"""Presenters of OAuth clients."""

from __future__ import annotations

from typing import Any

from app.clock import iso_z
from app.models.oauth import OAuthClient


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
