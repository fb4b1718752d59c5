"""Access and refresh tokens (JWT, HS256, made by flask-jwt-extended): who, and in which session. Nothing else.

What the user may do is never read from a token. Lifetimes follow app/clock.py, so tests can move them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import jwt
from flask import current_app
from flask_jwt_extended import create_access_token, create_refresh_token
from jwt.utils import base64url_decode, base64url_encode

from app import clock, ids
from app.errors import TokenExpired, TokenInvalid, TokenMissing

MAX_TOKEN_LENGTH: Final = 2048
"""Characters; issued ones have about 400. Longer ones are refused unread."""

CACHED: Final = 4096
"""Genuine tokens whose content a process caches (about 2 kB each): checking a signature is a tenth of a payment."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A session's pair. `expires_in`: seconds the access token lives."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Content of a verified access token."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """Content of a verified refresh token; `refresh_id` must still be its session's."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    refresh_id: uuid.UUID


def issue(
    user_id: uuid.UUID, *, session_id: uuid.UUID, refresh_id: uuid.UUID, ends_at: datetime | None = None
) -> Tokens:
    """The pair of tokens of a session, from now. ends_at: the session's end, after which neither is valid."""
    now, config = clock.now(), current_app.config
    subject, access_ttl_s = ids.public(ids.USER, user_id), config["ACCESS_TOKEN_TTL_S"]
    refresh_ttl_s = config["REFRESH_TOKEN_TTL_S"]
    if ends_at is not None:
        left_s = int((ends_at - now).total_seconds())
        access_ttl_s, refresh_ttl_s = min(access_ttl_s, left_s), min(refresh_ttl_s, left_s)
    access = _claims(session_id, ids.opaque(), expires_at=now + timedelta(seconds=access_ttl_s))
    refresh = _claims(session_id, refresh_id, expires_at=now + timedelta(seconds=refresh_ttl_s))
    return Tokens(
        create_access_token(subject, expires_delta=False, additional_claims=access),
        create_refresh_token(subject, expires_delta=False, additional_claims=refresh),
        access_ttl_s,
    )


def read_access(token: str | None) -> AccessClaims:
    """Raises TokenMissing, TokenInvalid, TokenExpired.

    Whether the session is still valid is checked in the database (services/identity/sessions.py).
    """
    content = _read(token, "access")
    return AccessClaims(content.user_id, content.session_id, content.expires_at)


def read_refresh(token: str | None) -> RefreshClaims:
    """Raises TokenMissing, TokenInvalid, TokenExpired."""
    content = _read(token, "refresh")
    return RefreshClaims(content.user_id, content.session_id, content.token_id)


@dataclass(frozen=True, slots=True)
class _Content:
    kind: str
    user_id: uuid.UUID
    session_id: uuid.UUID
    token_id: uuid.UUID
    expires_at: datetime


def _claims(session_id: uuid.UUID, token_id: uuid.UUID, *, expires_at: datetime) -> dict[str, Any]:
    return {"sid": session_id.hex, "jti": str(token_id), "exp": expires_at}


def _read(token: str | None, kind: str) -> _Content:
    """Verify signature, issuer, audience, kind and age."""
    if not token:
        raise TokenMissing(None if kind == "access" else "Send a refresh token.")
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise TokenInvalid
    try:
        content = _verified(token)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError) as error:
        raise TokenInvalid from error
    if content.kind != kind:
        raise TokenInvalid(
            f"This is not an {kind} token." if kind == "access" else f"This is not a {kind} token."
        )
    if content.expires_at <= clock.now():
        raise TokenExpired(None if kind == "access" else "The refresh token has expired.")
    return content


def _verified(token: str) -> _Content:
    config = current_app.config
    return _content(
        token,
        config["JWT_SECRET_KEY"],
        algorithm=config["JWT_ALGORITHM"],
        audience=config["JWT_DECODE_AUDIENCE"],
        issuer=config["JWT_DECODE_ISSUER"],
        leeway_s=config["JWT_DECODE_LEEWAY"],
    )


@lru_cache(maxsize=CACHED)
def _content(
    token: str, secret: str, *, algorithm: str, audience: str, issuer: str, leeway_s: int
) -> _Content:
    """The content of a genuine token; cached, since it never changes. Its age and its session are not."""
    _require_canonical(token)
    # PyJWT itself: flask-jwt-extended's decode_token parses every token twice, three times as slow.
    claims = jwt.decode(
        token,
        secret,
        algorithms=[algorithm],
        audience=audience,
        issuer=issuer,
        leeway=leeway_s,
        # The age is judged by our clock, in _read.
        options={"verify_exp": False, "require": ["exp", "iat", "jti", "sub", "type"]},
    )
    user_id = ids.parse(ids.USER, claims["sub"])
    if user_id is None:
        raise ValueError("the subject is not a user id")
    return _Content(
        kind=claims["type"],
        user_id=user_id,
        session_id=uuid.UUID(hex=claims["sid"]),
        token_id=uuid.UUID(claims["jti"]),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def _require_canonical(token: str) -> None:
    """Base64 can be spelt in several ways (padding, unused bits of the last character); a token has one, as issued.

    Raises ValueError.
    """
    for part in token.split("."):
        if base64url_encode(base64url_decode(part)).decode() != part:
            raise ValueError("the token is not spelt as it was issued")
