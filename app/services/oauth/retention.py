"""Deletes tokens that have expired, and grants that have none left."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from app import ids
from app.models.oauth import OAuthGrant, OAuthToken

KEPT: Final = timedelta(days=1)
"""After its expiry a token's row is kept so long; a grant's at least so long, which is longer than a code lives."""


def delete_tokens(session: Session, *, now: datetime, limit: int) -> int:
    """Delete tokens that expired KEPT ago, at most `limit`; how many."""
    old = select(OAuthToken.id).where(OAuthToken.expires_at < now - KEPT)
    batch = old.limit(limit).with_for_update(skip_locked=True)
    is_it = OAuthToken.id.in_(batch.scalar_subquery())
    return len(session.scalars(delete(OAuthToken).where(is_it).returning(OAuthToken.id)).all())


def delete_grants(session: Session, *, now: datetime, limit: int) -> int:
    """Delete grants made KEPT ago that have no tokens, at most `limit`; how many."""
    has_tokens = exists().where(OAuthToken.grant_id == OAuthGrant.id)
    old = select(OAuthGrant.id).where(OAuthGrant.id < ids.first_of(now - KEPT), ~has_tokens)
    batch = old.limit(limit).with_for_update(skip_locked=True)
    is_it = OAuthGrant.id.in_(batch.scalar_subquery())
    return len(session.scalars(delete(OAuthGrant).where(is_it).returning(OAuthGrant.id)).all())
