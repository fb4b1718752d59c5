"""`{"success": false, "error", "details"?}`: the Gateway API's errors (docs/api/gateway.md)."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError, InvalidRequest


class MissingIdempotencyKey(InvalidRequest):
    """The only refusal with a body of its own, without `success`."""

    code = "IDEMPOTENCY_KEY_MISSING"
    default_message = "All mutation requests require an Idempotency-Key header"


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer; a validation error's details are the fields and their messages."""
    if isinstance(error, MissingIdempotencyKey):
        return {"error": "Missing Idempotency-Key header", "message": error.message}
    if fields := error.details.get("fields"):
        return {"success": False, "error": "Validation error", "details": fields}
    body: dict[str, Any] = {"success": False, "error": error.message}
    if error.details:
        body["details"] = error.details
    elif error.field and isinstance(error, InvalidRequest):
        body["details"] = {error.field: [error.message]}
    return body
