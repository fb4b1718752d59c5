"""A user's consent: they sign in on the page, choose a tenant, and allow or deny what an application asks for.

Guarantees: consent is given by who has just signed in, for the request that was shown, within CONSENT_LIFE_S and once: the ticket
of the page names the session that the sign-in opened, which ends with the decision. A browser keeps nothing, so that no other page
can consent in its name.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app import clock
from app.crypto import CannotOpen, sealer
from app.errors import TokenInvalid
from app.principal import Principal
from app.services.identity import authentication, sessions, tokens
from app.services.oauth import grants
from app.services.oauth.server import Authorization
from app.services.tenants import members
from app.services.tenants.members import Membership
from app.services.tenants.roles import ROLES, require_scope

CONSENT_LIFE_S: Final = 600
"""How long a user may look at the page after signing in."""

_PURPOSE: Final = "oauth_consent"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user before their decision. ticket: proves it later. memberships: of the tenants that they may choose from."""

    ticket: str
    memberships: Sequence[Membership]


def sign_in(asked: Authorization, email: str, password: str, *, address: str | None) -> SignedIn:
    """Raises InvalidCredentials, RateLimitExceeded, as every login."""
    login = authentication.log_in(email, password, address=address)
    claims = tokens.read_access(login.tokens.access_token)
    until = int(clock.now().timestamp()) + CONSENT_LIFE_S
    content = f"{claims.user_id.hex} {claims.session_id.hex} {_digest(asked)} {until}"
    ticket = sealer().seal(content.encode(), purpose=_PURPOSE, row_id=asked.client.id)
    able = [one for one in members.memberships(claims.user_id) if grants.CONSENT_SCOPE in ROLES[one.role]]
    return SignedIn(ticket.decode(), able)


def allow(asked: Authorization, ticket: str, tenant_id: uuid.UUID, *, address: str | None) -> str:
    """The code. Raises TokenInvalid (the ticket), NotAMember, ScopeMissing."""
    user = _user(asked, ticket, address)
    member = Principal.of_member(tenant_id, user.user_id, user.session_id, address)
    require_scope(members.with_scopes(member), (grants.CONSENT_SCOPE,))
    authentication.log_out(user)
    return grants.authorize(
        asked.client,
        tenant_id=tenant_id,
        permissions=asked.permissions,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        actor=member,
    )


def deny(asked: Authorization, ticket: str, *, address: str | None) -> None:
    """Raises TokenInvalid (the ticket)."""
    authentication.log_out(_user(asked, ticket, address))


def _user(asked: Authorization, ticket: str, address: str | None) -> Principal:
    """Who signed in for this request. Raises TokenInvalid."""
    try:
        opened = sealer().open(ticket.encode(), purpose=_PURPOSE, row_id=asked.client.id)
    except CannotOpen:
        raise TokenInvalid("Sign in again.") from None
    user_id, session_id, shown, until = opened.decode().split(" ")
    if shown != _digest(asked) or int(until) <= clock.now().timestamp():
        raise TokenInvalid("Sign in again.")
    user = Principal.of_user(uuid.UUID(user_id), uuid.UUID(session_id), address)
    sessions.require_live(user.session_id, user_id=user.user_id, now=clock.now())
    return user


def _digest(asked: Authorization) -> str:
    shown = [asked.client.client_id, asked.redirect_uri, asked.permissions, asked.challenge, asked.state]
    return hashlib.sha256(repr(shown).encode()).hexdigest()
