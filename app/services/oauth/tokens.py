"""Tokens of applications: whether one is good now, and what it may do.

Guarantees: a token whose grant has ended (grants.py) is refused from that moment on by every process.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app import clock
from app.errors import InvalidApiKey
from app.events import outbox
from app.events.catalogue import EventType
from app.models.oauth import OAuthClient, OAuthGrant, OAuthToken, TokenKind
from app.models.tenant import Tenant
from app.principal import Principal
from app.services.oauth import grants
from app.services.oauth.clients import Application
from app.services.oauth.credentials import digest, is_access_token
from app.services.tenants import key_attempts
from app.unit_of_work import reading, transaction

__all__ = ["LiveToken", "authenticate", "find_live", "is_access_token", "revoke"]


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A token that is good now. user_id: who consented; None for the client's own tenant. reset_at: when the tenant's test data was
    reset."""

    id: uuid.UUID
    kind: TokenKind
    grant_id: uuid.UUID
    tenant_id: uuid.UUID
    user_id: uuid.UUID | None
    client: uuid.UUID
    client_id: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime
    reset_at: datetime | None


def authenticate(token: str, *, address: str | None) -> Principal:
    """The application that holds the access token. Raises InvalidApiKey, the same for every reason; RateLimitExceeded."""

    def check() -> LiveToken:
        found = _read(_live(token).where(OAuthToken.kind == TokenKind.ACCESS))
        if found is None:
            raise InvalidApiKey("The access token is not valid.")
        return found

    found = key_attempts.checked(token, check, address=address)
    principal = Principal.of_oauth_client(
        found.tenant_id, found.client, found.grant_id, frozenset(found.permissions), address
    )
    return replace(principal, reset_at=found.reset_at)


def find_live(text: str, client: Application) -> LiveToken | None:
    """A token of the application's own, of either kind, that is good now; None for any other."""
    return _read(_live(text).where(OAuthGrant.client == client.id))


def revoke(token: LiveToken, client: Application, *, address: str | None) -> None:
    """End the token. With a refresh token all that came of its authorization ends (RFC 7009, 2.1)."""
    actor = Principal.of_oauth_client(token.tenant_id, client.id, token.grant_id, frozenset(), address)
    if token.kind is TokenKind.REFRESH:
        grants.revoke(token.grant_id, because="revoked", actor=actor)
        return
    now = clock.now()

    def work(session: Session) -> None:
        row = session.get_one(OAuthToken, token.id, with_for_update=True)
        if row.revoked_at is None:
            row.revoked_at = now
            outbox.record(
                session,
                EventType.OAUTH_TOKEN_REVOKED,
                object_id=str(token.grant_id),
                data={"token": str(token.id)},
                now=now,
                actor=actor,
                tenant_id=token.tenant_id,
                is_public=False,
            )

    transaction(work)


def _live(text: str) -> Select[OAuthToken, OAuthGrant, str, datetime | None]:
    return (
        grants.only_live(select(OAuthToken, OAuthGrant, OAuthClient.client_id, Tenant.reset_at))
        .join(OAuthToken, OAuthToken.grant_id == OAuthGrant.id)
        .where(
            OAuthToken.token_hash == digest(text),
            OAuthToken.expires_at > clock.now(),
            OAuthToken.revoked_at.is_(None),
            OAuthToken.used_at.is_(None),
        )
    )


def _read(wanted: Select[OAuthToken, OAuthGrant, str, datetime | None]) -> LiveToken | None:
    with reading() as session:
        row = session.execute(wanted).one_or_none()
    if row is None:
        return None
    token, grant, client_id, reset_at = row
    return LiveToken(
        id=token.id,
        kind=token.kind,
        grant_id=grant.id,
        tenant_id=grant.tenant_id,
        user_id=grant.user_id,
        client=grant.client,
        client_id=client_id,
        permissions=token.permissions,
        created_at=token.created_at,
        expires_at=token.expires_at,
        reset_at=reset_at,
    )
