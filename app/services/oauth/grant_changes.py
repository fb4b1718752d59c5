"""What a tenant sees and ends of what its members have consented to.

Guarantees: a grant that is revoked ends with all its tokens from the commit on, in every process.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from app.errors import NotFound
from app.models.oauth import OAuthClient, OAuthGrant
from app.principal import Principal
from app.services.oauth import grants
from app.unit_of_work import reading

MAX_LISTED: Final = 100
"""Grants in a list: the newest."""


@dataclass(frozen=True, slots=True)
class GrantDetail:
    """A consent, and the application it was given to."""

    grant: OAuthGrant
    client: OAuthClient


def list_grants(tenant_id: uuid.UUID) -> list[GrantDetail]:
    """What applications may do for the tenant now by consent, the newest first; at most MAX_LISTED."""
    wanted = (
        grants.only_live(select(OAuthGrant, OAuthClient))
        .where(OAuthGrant.tenant_id == tenant_id, OAuthGrant.code_hash.is_not(None))
        .order_by(OAuthGrant.id.desc())
        .limit(MAX_LISTED)
    )
    with reading() as session:
        return [GrantDetail(grant, client) for grant, client in session.execute(wanted)]


def revoke_grant(tenant_id: uuid.UUID, grant_id: uuid.UUID, *, actor: Principal) -> None:
    """End a consent, whichever member gave it. Raises NotFound: the tenant has none with this id, or it has ended."""
    is_it = (OAuthGrant.id == grant_id) & (OAuthGrant.tenant_id == tenant_id)
    with reading() as session:
        found = session.scalar(select(OAuthGrant.id).where(is_it, OAuthGrant.revoked_at.is_(None)))
    if found is None:
        raise NotFound
    grants.revoke(found, because="revoked_by_tenant", actor=actor)
