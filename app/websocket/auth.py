"""Who may connect, from which pages, and who may watch which payment."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from app import clock
from app.errors import InvalidRequest, NotFound, TokenExpired
from app.services import session_service, tokens
from app.services.tokens import AccessClaims


def token_in(auth: object) -> str | None:
    """The access token of a client's `auth` payload; None when it brings none. Raises InvalidRequest."""
    if auth is None:
        return None
    if not isinstance(auth, dict) or not auth.keys() <= {"token"}:
        raise InvalidRequest('Connect with auth: {"token": "<access token>"}, or without auth.', field="auth")
    return _token(auth.get("token"))


def _token(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidRequest("The token must be a string.", field="token")
    return value


def sign_in(token: str) -> AccessClaims:
    """The claims of an access token whose session lives. Raises TokenInvalid, TokenExpired, Unavailable."""
    claims = tokens.read_access(token)
    require_alive(claims)
    return claims


def require_alive(claims: AccessClaims) -> None:
    """Raises TokenExpired, or TokenInvalid when the session has ended since."""
    now = clock.now()
    if claims.expires_at <= now:
        raise TokenExpired
    session_service.require_live(claims.session_id, user_id=claims.user_id, now=now)


def require_party(
    claims: AccessClaims | None, parties: Collection[uuid.UUID], *, is_production: bool
) -> None:
    """In production only sender and recipient watch a payment; to others it does not exist. Raises NotFound."""
    if is_production and (claims is None or claims.user_id not in parties):
        raise NotFound("Transaction not found.")


def is_origin_allowed(origin: str | None, environ: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether a browser page of `origin` may connect: our own, CORS_ORIGINS, and in demo any port of this machine.

    Clients that are no browsers send no origin and are not asked.
    """
    if origin is None or origin in config["CORS_ORIGINS"]:
        return True
    try:
        page = urlsplit(origin)
        _ = page.port  # ValueError for localhost:80.evil.example, whose hostname would be localhost
    except ValueError:
        return False
    if page.scheme not in ("http", "https") or not page.netloc:
        return False
    if page.netloc == environ.get("HTTP_HOST"):
        return True
    return bool(config["IS_DEMO"]) and page.hostname in ("localhost", "127.0.0.1", "::1")
