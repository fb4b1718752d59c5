"""Credential errors `{"error": {"code", "message"}}`, 403 and 404 `{"detail"}`, others `{"error", "details"?}`."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer, each status in its own shape."""
    if error.http_status == _UNAUTHORIZED:
        return {"error": {"code": error.code, "message": error.message}}
    if error.http_status in (_FORBIDDEN, _NOT_FOUND):
        return {"detail": error.message}
    body: dict[str, Any] = {"error": error.message}
    if error.details:
        body["details"] = error.details
    return body
