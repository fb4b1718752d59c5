"""`{"status": "error", "error": {"code", "message", "field"?, "details"?}}`: `error` is always an object."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer."""
    content: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.field:
        content["field"] = error.field
    if error.details:
        content["details"] = error.details
    return {"status": "error", "error": content}
