"""Credential errors `{"error": {"code", "message"}}`, 403 and 404 `{"detail"}`, others `{"error", "details"?}`."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError, NotAMember, NotFound, TokenExpired, TokenInvalid

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404

_INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105 a code


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer, each status in its own shape."""
    if error.http_status == _UNAUTHORIZED or isinstance(error, NotAMember):
        code = _INVALID_TOKEN if isinstance(error, (TokenInvalid, TokenExpired)) else error.code
        return {"error": {"code": code, "message": error.message}}
    if error.http_status == _NOT_FOUND:
        return {"detail": NotFound.default_message}  # of every kind: a foreign id looks like an unknown one
    if error.http_status == _FORBIDDEN:
        return {"detail": error.message}
    body: dict[str, Any] = {"error": error.message}
    if error.details:
        body["details"] = error.details
    return body
