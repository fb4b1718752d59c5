"""`{"error": {"type", "message", "status", "errors"?}}`: the Processing API's errors (document 003)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.errors import GatewayError, InvalidParameters, KeyForbidden, OAuthRefused

TYPES: Final = {
    401: "authentication_error",
    403: "authorization_error",
    404: "not_found",
    405: "method_not_allowed",
    429: "rate_limit_error",
    500: "internal_server_error",
}


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer. A 429 also has `retry_after`, in seconds; a validation error each field that is not valid."""
    content: dict[str, Any] = {
        "type": _type_of(error),
        "message": error.message,
        "status": error.http_status,
    }
    if isinstance(error, InvalidParameters):
        content["errors"] = list(_errors(error.details["fields"]))
    if isinstance(error, OAuthRefused):
        content["error_code"] = error.error_code
    if "request_id" in error.details:
        content["request_id"] = error.details["request_id"]
    if error.retry_after_s is not None:
        content["retry_after"] = error.retry_after_s
    return {"error": content}


def _type_of(error: GatewayError) -> str:
    if isinstance(error, InvalidParameters):
        return "validation_error"
    if isinstance(error, OAuthRefused):
        return error.error_code
    if isinstance(error, KeyForbidden):
        return TYPES[401]
    return TYPES.get(error.http_status, "invalid_request")


def _errors(messages: Any, path: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Of marshmallow's tree: one entry for each field, `metadata.key` style."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _errors(inner, path if key == "_schema" else (*path, str(key)))
        return
    message = messages[0] if isinstance(messages, list) else messages
    yield {
        "field": ".".join(path) if path else "body",
        "code": getattr(message, "code", "invalid_value"),
        "message": str(message),
    }
