"""Credential errors `{"error": {"code", "message"}}`, 403 and 404 `{"detail"}`, others `{"error", "details"?}`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from app.errors import (
    CredentialsMissing,
    GatewayError,
    NotAMember,
    NotFound,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
)

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404

_CODES: Final[Mapping[type[GatewayError], str]] = MappingProxyType(
    {
        TokenInvalid: "INVALID_TOKEN",
        TokenExpired: "INVALID_TOKEN",
        TokenMissing: CredentialsMissing.code,
    }
)
"""Document 002's codes, where they are not ours."""


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer, each status in its own shape."""
    if error.http_status == _UNAUTHORIZED or isinstance(error, NotAMember):
        return {"error": {"code": _CODES.get(type(error), error.code), "message": error.message}}
    if error.http_status == _NOT_FOUND:
        return {"detail": NotFound.default_message}  # of every kind: a foreign id looks like an unknown one
    if error.http_status == _FORBIDDEN:
        return {"detail": error.message}
    body: dict[str, Any] = {"error": error.message}
    if error.details:
        body["details"] = error.details
    return body
