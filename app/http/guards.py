"""Guards: who may call a route. Every route has one beside its blueprint in the table (app/routes.py)."""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from flask import current_app, g, request

from app import clock
from app.errors import (
    ApiKeyDeactivated,
    AuthenticationFailed,
    CredentialsMissing,
    InvalidApiKey,
    InvalidTenant,
    KeyForbidden,
    PermissionDenied,
    TenantIdMissing,
    TokenInvalid,
    TokenMissing,
)
from app.models.tenant import NEVER_RESET
from app.principal import Principal
from app.services.demo.objects import TENANT_ID as DEMO_TENANT_ID
from app.services.identity import sessions, tokens
from app.services.oauth import tokens as oauth_tokens
from app.services.tenants import api_keys, key_attempts, members, tenants
from app.services.tenants.api_keys import KnownKey

API_KEY_HEADER: Final = "X-TENANT-API-KEY"
TENANT_HEADER: Final = "X-TENANT-ID"
PROCESSING_KEY_HEADER: Final = "X-API-Key"
LIVE_KEY_PREFIX: Final = "sk_live_"
"""Of another payment service's live keys, which clients of document 003 may send by mistake."""

MISTAKEN_HEADER: Final = re.compile(
    r"(x-)?([a-z]+-)?(api|tenant|secret|auth|access|merchant|app)[-_]?(key|token|secret)|(x-)?(token|secret|apikey)",
    re.IGNORECASE,
)
"""Names that other APIs use. A credential there is refused: without it the request could pass for the demo tenant's."""


@dataclass(frozen=True, slots=True)
class Guard:
    """`identify` returns the caller (None: the route is public); `admit` checks it in the database, after the rate limit, and
    returns it with what was found."""

    name: str
    identify: Callable[[], Principal | None]
    admit: Callable[[Principal], Principal] | None = None


def current_principal() -> Principal:
    """Who the guard has admitted. Only for routes that are not public."""
    principal: Principal = g.principal
    return principal


def bearer_token() -> str | None:
    """The token of `Authorization: Bearer …`, None when that header is absent or of another kind."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip(" ") or None if scheme.lower() == "bearer" else None


def _anonymous() -> None:
    return None


def _from_access_token() -> Principal:
    token = bearer_token()
    if token is None:
        if API_KEY_HEADER in request.headers:
            raise TokenMissing(f"{API_KEY_HEADER} is for merchants. {TokenMissing.default_message}")
        _refuse_mistaken_headers(TokenMissing)
        raise TokenMissing
    return _user(token)


def _refuse_mistaken_headers(error: type[AuthenticationFailed]) -> None:
    """Raises `error`, which names the header a credential was sent in: one with such a name, or with an API key of ours as its value."""
    for name, value in request.headers:
        if api_keys.is_key(value) or MISTAKEN_HEADER.fullmatch(name):
            raise error(f"{name} is not read. {error.default_message}")


def _user(token: str) -> Principal:
    claims = tokens.read_access(token)
    return Principal.of_user(claims.user_id, claims.session_id, request.remote_addr)


def _merchant(key: str, *, is_checked_later: bool = False) -> Principal:
    known = key_attempts.authenticate(key, address=request.remote_addr, is_checked_later=is_checked_later)
    return _principal(known)


def _principal(known: KnownKey) -> Principal:
    return Principal.of_api_key(known.tenant_id, known.key_id, request.remote_addr, known.permissions)


def _credentials_sent() -> tuple[str | None, str | None]:
    """(API key, access token) of the request. A credential that cannot be used is refused, never ignored.

    Access tokens have dots, API keys have none. Raises InvalidApiKey: no bearer, or two keys that differ.
    """
    key, bearer = request.headers.get(API_KEY_HEADER), bearer_token()
    if bearer is None and "Authorization" in request.headers:
        raise InvalidApiKey("Authorization must be: Bearer <API key or access token>.")
    if bearer is None and key is None:
        _refuse_mistaken_headers(CredentialsMissing)
    if bearer is None or "." in bearer:
        return key, bearer
    if key is not None and not hmac.compare_digest(key.encode(), bearer.encode()):
        raise InvalidApiKey(f"{API_KEY_HEADER} and Authorization hold different API keys.")
    return bearer, None


def _from_api_key(*, is_checked_later: bool = False) -> Principal:
    key, token = _credentials_sent()
    if token is not None:
        _user(token)  # a bad token is a 401; a good one is the wrong kind of credential
        raise PermissionDenied("This is for merchants' backends: send an API key, not a user's token.")
    return _merchant(key, is_checked_later=is_checked_later) if key is not None else _demo_merchant()


def _from_sent_api_key() -> Principal:
    if _credentials_sent() == (None, None):
        raise CredentialsMissing(f"Send the tenant's API key: {API_KEY_HEADER}.")
    return _from_api_key()


def _from_known_api_key() -> Principal:
    return _from_api_key(is_checked_later=True)


def _from_api_key_or_token() -> Principal:
    key, token = _credentials_sent()
    if token is None:
        return _merchant(key) if key is not None else _demo_merchant()
    user = _user(token)
    if key is not None:
        _merchant(key)
        raise PermissionDenied("Send an API key or a user's token, not both.")
    return user


def _demo_merchant() -> Principal:
    """In demo mode a request without a credential is the demo tenant's, so that the documentation's commands run as
    they are pasted."""
    if not current_app.config["IS_DEMO"]:
        raise CredentialsMissing
    if not tenants.is_active(DEMO_TENANT_ID):
        raise CredentialsMissing(
            "The demo tenant is not loaded, or is suspended: run flask demo load, or send an API key."
        )
    return Principal.of_demo_tenant(DEMO_TENANT_ID, request.remote_addr)


def _of_tenant() -> Principal:
    """The tenant by X-TENANT-ID and its API key; with an access token the user, who must be its member.

    Raises CredentialsMissing, TenantIdMissing, InvalidTenant, InvalidApiKey, TokenInvalid, TokenExpired.
    """
    key = request.headers.get(API_KEY_HEADER)
    if key is None:
        raise CredentialsMissing(f"Send the tenant's API key: {API_KEY_HEADER}.")
    tenant_id = _tenant_sent()
    api_key = _merchant(key)
    if api_key.tenant_id != tenant_id:
        raise InvalidApiKey(f"The API key is not of the tenant in {TENANT_HEADER}.")
    if "Authorization" not in request.headers:
        return api_key
    token = bearer_token()
    if token is None:
        raise TokenInvalid("Authorization must be: Bearer <access token>.")
    user = _user(token)
    return Principal.of_member(tenant_id, user.user_id, user.session_id, request.remote_addr)


def _tenant_sent() -> uuid.UUID:
    """Raises TenantIdMissing, InvalidTenant."""
    text = request.headers.get(TENANT_HEADER, "").strip()
    if not text:
        raise TenantIdMissing
    try:
        tenant_id = uuid.UUID(text)
    except ValueError:
        raise InvalidTenant from None
    if str(tenant_id) != text.lower() or not tenants.is_active(tenant_id):
        raise InvalidTenant
    return tenant_id


def look_up_again() -> Principal:
    """The caller of the Processing API as it is now, where it was admitted by what was remembered. Raises as the guard does."""
    g.principal = principal = _of_processing()
    return principal


def _of_known_processing() -> Principal:
    return _of_processing(is_checked_later=True)


def _of_processing(*, is_checked_later: bool = False) -> Principal:
    """By an API key or an OAuth access token, as bearer or as X-API-Key. Raises CredentialsMissing, InvalidApiKey, KeyForbidden."""
    bearer, key = bearer_token(), request.headers.get(PROCESSING_KEY_HEADER)
    if bearer is None and "Authorization" in request.headers:
        raise InvalidApiKey("Authorization must be: Bearer <API key or access token>.")
    if bearer is not None and key is not None and not hmac.compare_digest(bearer.encode(), key.encode()):
        raise InvalidApiKey(f"{PROCESSING_KEY_HEADER} and Authorization hold different credentials.")
    credential = bearer or key
    if credential is None:
        raise CredentialsMissing("Send an API key: Authorization: Bearer <key>, or X-API-Key.")
    if credential.startswith(LIVE_KEY_PREFIX):
        raise KeyForbidden("Live API keys are not permitted here.")
    if oauth_tokens.is_access_token(credential):
        application = oauth_tokens.authenticate(credential, address=request.remote_addr)
        return replace(application, reset_at=application.reset_at or NEVER_RESET)
    try:
        known = key_attempts.authenticate(
            credential, address=request.remote_addr, is_checked_later=is_checked_later
        )
    except ApiKeyDeactivated:
        raise KeyForbidden("This API key has been deactivated.") from None
    return replace(
        _principal(known),
        requests_per_minute=known.requests_per_minute,
        reset_at=known.reset_at or NEVER_RESET,
    )


def _with_scopes(principal: Principal) -> Principal:
    """Raises TokenInvalid (the session is over), NotAMember."""
    return members.with_scopes(_require_live_session(principal))


def _require_live_session(principal: Principal) -> Principal:
    if principal.user is not None:
        sessions.require_live(principal.session_id, user_id=principal.user_id, now=clock.now())
    return principal


PUBLIC: Final = Guard("public", _anonymous)
"""No credential is needed: registration, login, health, documentation."""

PROCESSING: Final = Guard("processing", _of_processing)
"""An API key or an OAuth access token, as `Authorization: Bearer` or `X-API-Key`; in every mode."""

KNOWN_PROCESSING: Final = Guard("known processing", _of_known_processing)
"""The same without looking up a key that was right lately, only for routes that check it in the statement they write by."""

USER_SESSION: Final = Guard("user session", _from_access_token, _require_live_session)
"""A user's access token whose session lives and whose user is active."""

USER_TOKEN: Final = Guard("user token", _from_access_token)
"""The same without the look-up, only for routes whose SQL function checks the session in its own statement."""

MERCHANT: Final = Guard("merchant", _from_api_key)
"""A tenant's API key, as X-TENANT-API-KEY or as bearer; in demo mode also nothing at all."""

SITE: Final = Guard("site", _from_sent_api_key)
"""A tenant's API key as MERCHANT takes it, in every mode."""

KNOWN_MERCHANT: Final = Guard("known merchant", _from_known_api_key)
"""The same without looking up a key that was right lately, only for routes that check it in the statement they write by."""

MERCHANT_OR_USER: Final = Guard("merchant or user", _from_api_key_or_token, _require_live_session)
"""The same, or a user's access token whose session lives."""

TENANT: Final = Guard("tenant", _of_tenant, _with_scopes)
"""X-TENANT-ID with that tenant's API key; with a user's access token the user as a member of the tenant, else the key alone."""
