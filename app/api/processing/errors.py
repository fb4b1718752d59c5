"""`{"error": {"type", "message", "status", "errors"?}}`: the Processing API's errors."""

from __future__ import annotations

from typing import Any, Final

from app.errors import GatewayError

TYPES: Final = {
    401: "authentication_error",
    403: "authorization_error",
    404: "not_found",
    405: "method_not_allowed",
    422: "validation_error",
    429: "rate_limit_error",
    500: "internal_server_error",
}


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer. A 429 also has `retry_after`, in seconds."""
    content: dict[str, Any] = {
        "type": TYPES.get(error.http_status, "invalid_request"),
        "message": error.message,
        "status": error.http_status,
    }
    if "request_id" in error.details:
        content["request_id"] = error.details["request_id"]
    if error.retry_after_s is not None:
        content["retry_after"] = error.retry_after_s
    return {"error": content}
