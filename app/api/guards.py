"""Who may come in. Every route has one of these beside its blueprint in the table (app/api/__init__.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import g, request

from app import clock
from app.actor import Actor, Merchant
from app.errors import TokenMissing
from app.services import session_service, tokens


@dataclass(frozen=True, slots=True)
class Guard:
    """`identify` says who is calling (None: nobody needs to); `admit` then asks the database, after the rate limit."""

    name: str
    identify: Callable[[], Actor | None]
    admit: Callable[[Actor], None] | None = None


def current_actor() -> Actor:
    """Who the guard let in. Only for routes whose guard identifies somebody."""
    actor: Actor = g.actor
    return actor


def current_principal() -> str:
    """Whose idempotency keys this request uses (Actor.principal, Merchant.principal)."""
    actor: Actor | Merchant = g.actor
    return actor.principal


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
    claims = tokens.read_access(token)
    return Actor(claims.user_id, claims.session_id, request.remote_addr)


def _require_live_session(actor: Actor) -> None:
    session_service.require_live(actor.session_id, user_id=actor.user_id, now=clock.now())


PUBLIC: Final = Guard("public", _nobody)
"""Anybody: registration, login, health, documentation."""

USER_SESSION: Final = Guard("user session", _from_access_token, _require_live_session)
"""A user's access token whose session lives and whose user is active."""

USER_TOKEN: Final = Guard("user token", _from_access_token)
"""The same without the look-up, only for routes whose SQL function checks the session in its own statement."""
