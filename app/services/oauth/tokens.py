"""Access tokens of applications: their form, and whether one is good now.

Guarantees: a token whose grant was revoked, whose client was disabled or whose tenant is suspended is refused from that moment on
by every process.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from sqlalchemy import select

from app import clock
from app.errors import InvalidApiKey
from app.models.oauth import OAuthClient, OAuthGrant, OAuthToken, TokenKind
from app.models.tenant import Tenant
from app.principal import Principal
from app.unit_of_work import reading

_ACCESS_TOKEN: Final = re.compile(r"tok_[A-Za-z0-9_-]{43}")


def is_access_token(text: str) -> bool:
    """Whether this is an access token by its form, good or not."""
    return bool(_ACCESS_TOKEN.fullmatch(text))


def authenticate(token: str, *, address: str | None) -> Principal:
    """The application that holds the token. Raises InvalidApiKey, the same for every reason."""
    wanted = (
        select(OAuthGrant.tenant_id, OAuthGrant.client, OAuthGrant.id, OAuthToken.permissions)
        .select_from(OAuthToken)
        .join(OAuthGrant, OAuthGrant.id == OAuthToken.grant_id)
        .join(OAuthClient, OAuthClient.id == OAuthGrant.client)
        .join(Tenant, Tenant.id == OAuthGrant.tenant_id)
        .where(
            OAuthToken.token_hash == digest(token),
            OAuthToken.kind == TokenKind.ACCESS,
            OAuthToken.expires_at > clock.now(),
            OAuthToken.revoked_at.is_(None),
            OAuthGrant.revoked_at.is_(None),
            OAuthClient.disabled_at.is_(None),
            Tenant.is_active,
        )
    )
    with reading() as session:
        found = session.execute(wanted).one_or_none()
    if found is None:
        raise InvalidApiKey("The access token is not valid.")
    return Principal.of_oauth_client(
        found.tenant_id, found.client, found.id, frozenset(found.permissions), address
    )


def digest(secret: str) -> bytes:
    """As it is stored: no password hash, since secrets have 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()
