"""Who may come in. Every route has one of these beside its blueprint in the table (app/routes.py)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import current_app, g, request

from app import clock
from app.actor import Actor, Merchant
from app.errors import CredentialsMissing, InvalidApiKey, PermissionDenied, TokenMissing
from app.services.demo.objects import TENANT_ID as DEMO_TENANT_ID
from app.services.identity import scopes, sessions, tokens
from app.services.tenants import api_keys, tenants

Caller = Actor | Merchant

API_KEY_HEADER: Final = "X-TENANT-API-KEY"


@dataclass(frozen=True, slots=True)
class Guard:
    """`identify` says who is calling (None: nobody needs to); `admit` then asks the database, after the rate limit."""

    name: str
    identify: Callable[[], Caller | None]
    admit: Callable[[Caller], None] | None = None


def current_caller() -> Caller:
    """Who the guard let in. Only for routes whose guard identifies somebody."""
    caller: Caller = g.actor
    return caller


def current_actor() -> Actor:
    """The user the guard let in. Only for routes that are for users."""
    caller = current_caller()
    assert isinstance(caller, Actor), "this route's guard lets others in than users"
    return caller


def current_merchant() -> Merchant:
    """The tenant's backend the guard let in. Only for routes that are for merchants."""
    caller = current_caller()
    assert isinstance(caller, Merchant), "this route's guard lets others in than merchants"
    return caller


def current_principal() -> str:
    """Whose idempotency keys this request uses (Actor.principal, Merchant.principal)."""
    return current_caller().principal


def bearer_token() -> str | None:
    """The token of `Authorization: Bearer …`, None when that header is absent or of another kind."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _nobody() -> None:
    return None


def _from_access_token() -> Actor:
    token = bearer_token()
    if token is None:
        raise TokenMissing
    return _user(token)


def _user(token: str) -> Actor:
    claims = tokens.read_access(token)
    return Actor(claims.user_id, claims.session_id, request.remote_addr)


def _merchant(key: str) -> Merchant:
    tenant_id, key_id = api_keys.authenticate(key)
    return Merchant(tenant_id, key_id, request.remote_addr)


def _sent() -> tuple[str | None, str | None]:
    """(API key, access token) of the request. What was sent in vain is refused, never overlooked.

    Access tokens have dots, API keys have none. Raises InvalidApiKey: no bearer, or two keys that differ.
    """
    key, bearer = request.headers.get(API_KEY_HEADER), bearer_token()
    if bearer is None and "Authorization" in request.headers:
        raise InvalidApiKey("Authorization must be: Bearer <API key or access token>.")
    if bearer is None or "." in bearer:
        return key, bearer
    if key is not None and not hmac.compare_digest(key.encode(), bearer.encode()):
        raise InvalidApiKey(f"{API_KEY_HEADER} and Authorization hold different API keys.")
    return bearer, None


def _from_api_key() -> Merchant:
    key, token = _sent()
    if token is not None:
        _user(token)  # a bad token is a 401, a good one the wrong kind of credential
        raise PermissionDenied("This is for merchants' backends: send an API key, not a user's token.")
    return _merchant(key) if key is not None else _demo_merchant()


def _from_api_key_or_token() -> Caller:
    key, token = _sent()
    if token is None:
        return _merchant(key) if key is not None else _demo_merchant()
    user = _user(token)
    if key is not None:
        _merchant(key)
        raise PermissionDenied("Send an API key or a user's token, not both.")
    return user


def _demo_merchant() -> Merchant:
    """Nobody in particular: in demo mode the demo tenant, so that the documents' commands run as pasted."""
    if not current_app.config["IS_DEMO"]:
        raise CredentialsMissing
    if not tenants.is_active(DEMO_TENANT_ID):
        raise CredentialsMissing("The demo tenant is not loaded: run flask demo load, or send an API key.")
    return Merchant(DEMO_TENANT_ID, None, request.remote_addr)


def _require_live_session(caller: Caller) -> None:
    if isinstance(caller, Actor):
        sessions.require_live(caller.session_id, user_id=caller.user_id, now=clock.now())


def _require_operator(caller: Caller) -> None:
    assert isinstance(caller, Actor), "only users are operators"
    _require_live_session(caller)
    scopes.require_scope(caller.user_id, scopes.ADMIN)


PUBLIC: Final = Guard("public", _nobody)
"""Anybody: registration, login, health, documentation."""

USER_SESSION: Final = Guard("user session", _from_access_token, _require_live_session)
"""A user's access token whose session lives and whose user is active."""

USER_TOKEN: Final = Guard("user token", _from_access_token)
"""The same without the look-up, only for routes whose SQL function checks the session in its own statement."""

MERCHANT: Final = Guard("merchant", _from_api_key)
"""A tenant's API key, as X-TENANT-API-KEY or as bearer; in demo mode also nothing at all."""

MERCHANT_OR_USER: Final = Guard("merchant or user", _from_api_key_or_token, _require_live_session)
"""The same, or a user's access token whose session lives."""

OPERATOR: Final = Guard("operator", _from_access_token, _require_operator)
"""A user's access token, where the user has the scope `admin` at this moment."""
