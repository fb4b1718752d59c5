"""Credentials and origins of Socket.IO clients, and which payments a client may watch."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from app import clock
from app.errors import InvalidApiKey, InvalidRequest, NotFound, TokenExpired, TokenInvalid
from app.models.tenant import Permission
from app.principal import Principal
from app.services.identity import sessions, tokens
from app.services.identity.tokens import AccessClaims
from app.services.realtime import subscriptions
from app.services.realtime import tokens as realtime_tokens
from app.services.realtime.subscriptions import WatchedPayment
from app.services.tenants import key_attempts

_HOW_TO_CONNECT: Final = (
    'Connect with auth: {"token": "<access token>"} or {"api_key": "<API key>"}, or without auth.'
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client connects with: a user's access token, a merchant's API key, or nothing."""

    token: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)


def credentials_in(auth: object) -> Credentials:
    """Those of a client's `auth` payload. Raises InvalidRequest."""
    if auth is None:
        return Credentials()
    if not isinstance(auth, dict) or not auth.keys() <= {"token", "api_key"}:
        raise InvalidRequest(_HOW_TO_CONNECT, field="auth")
    sent = Credentials(text_in(auth, "token"), text_in(auth, "api_key"))
    if sent.token is not None and sent.api_key is not None:
        raise InvalidRequest(_HOW_TO_CONNECT, field="auth")
    return sent


def text_in(data: Mapping[str, object], name: str) -> str | None:
    """The text under `name`; None when there is none. Raises InvalidRequest."""
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"The {name} must be a string.", field=name)
    return value


def merchant_of(api_key: str, *, address: str | None) -> Principal:
    """The merchant whose key it is. Raises InvalidApiKey, PermissionMissing, RateLimitExceeded (too many wrong keys from the
    address), ServiceUnavailable."""
    known = key_attempts.authenticate(api_key, address=address)
    merchant = Principal.of_api_key(known.tenant_id, known.key_id, None, known.permissions)
    merchant.require(Permission.PAYMENTS_READ)
    return merchant


def is_payment_token(transaction_id: str, token: str) -> bool:
    """Whether `token` is the realtime token of this payment; False: it is of another kind, an access token.

    Access tokens have dots, realtime tokens have none. Raises TokenInvalid: it is another payment's, or forged,
    whether the payment exists or not.
    """
    payment_id = subscriptions.provider_payment_id(transaction_id)
    if payment_id is None or "." in token:
        return False
    if not realtime_tokens.is_realtime_token(payment_id, token):
        raise TokenInvalid("This token is not for this transaction.")
    return True


def require_changes_token(transaction_id: str, token: str | None) -> None:
    """Raises TokenInvalid: it is no provider payment's changes token."""
    payment_id = subscriptions.provider_payment_id(transaction_id)
    if payment_id is None or token is None or not realtime_tokens.is_changes_token(payment_id, token):
        raise TokenInvalid("This token is not for this transaction.")


def sign_in(token: str) -> AccessClaims:
    """The claims of an access token whose session lives. Raises TokenInvalid, TokenExpired, ServiceUnavailable."""
    claims = tokens.read_access(token)
    require_alive(claims)
    return claims


def require_alive(claims: AccessClaims) -> None:
    """Raises TokenExpired, or TokenInvalid when the session has ended since."""
    now = clock.now()
    if claims.expires_at <= now:
        raise TokenExpired
    sessions.require_live(claims.session_id, user_id=claims.user_id, now=now)


def require_alive_key(merchant: Principal) -> None:
    """Raises InvalidApiKey when the key was revoked, or its tenant suspended, since."""
    assert merchant.credential is not None, "a client's merchant came with a key"
    if not subscriptions.live_keys([merchant.credential]):
        raise InvalidApiKey


def require_right(payment: WatchedPayment, claims: AccessClaims | None, merchant: Principal | None) -> None:
    """A wallet payment is shown to its sender and recipient, a provider payment to its merchant; for others it does not
    exist. Raises NotFound."""
    user_id: uuid.UUID | None = claims.user_id if claims else None
    is_own = merchant is not None and merchant.tenant_id == payment.tenant_id
    if not is_own and user_id not in payment.parties:
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
