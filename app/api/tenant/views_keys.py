"""Presenters of API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.clock import iso_z
from app.models.tenant import ApiKey


def key_view(key: ApiKey) -> dict[str, Any]:
    """Without the key, which is not stored."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "permissions": key.permissions,
        "created_at": iso_z(key.created_at),
        "created_by": key.created_by,
        "last_used_at": _time(key.last_used_at),
        "expires_at": _time(key.expires_at),
        "suspended_at": _time(key.suspended_at),
        "revoked_at": _time(key.revoked_at),
    }


def _time(moment: datetime | None) -> str | None:
    return iso_z(moment) if moment is not None else None
