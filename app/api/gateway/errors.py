"""`{"success": false, "error", "details"?}`, as document 001 prints it."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer; a validation error's details are the fields and their messages."""
    if fields := error.details.get("fields"):
        return {"success": False, "error": "Validation error", "details": fields}
    body: dict[str, Any] = {"success": False, "error": error.message}
    if error.details:
        body["details"] = error.details
    return body
