"""Merchants: tenants, the keys their backends call with, and their accounts at providers."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import CHAR, CheckConstraint, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class Plan(StrEnum):
    """What a tenant has subscribed to; fee rules may depend on it."""

    STARTER = "starter"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"


class Permission(StrEnum):
    """What an API key, or an OAuth token, may do, as document 003 spells it."""

    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    REFUNDS_WRITE = "refunds:write"
    WEBHOOKS_MANAGE = "webhooks:manage"
    API_ADMIN = "api:admin"


NEVER_RESET: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""`Principal.reset_at` where the test data of the tenant was never reset."""


class Tenant(Base):
    """A merchant's row. Never deleted. is_active: False while it is suspended. currency: what it withdraws in where a request
    names none. payout_destination_id: where it is paid out to where it has chosen one. reset_at: what the Processing API made
    before is not shown by it any more (`/v1/test/reset`)."""

    __tablename__ = "tenants"
    __table_args__ = (one_of("plan", Plan),)

    id: Mapped[Key]
    name: Mapped[Words]
    plan: Mapped[Plan] = mapped_column(EnumText(Plan))
    is_active: Mapped[bool]
    created_at: Mapped[Moment]
    currency: Mapped[str] = mapped_column(CHAR(3), default="KES")
    payout_destination_id: Mapped[uuid.UUID | None]
    reset_at: Mapped[Moment | None]


class ApiKey(Base):
    """prefix: the key's first characters, by which it is found; secret_hash: SHA-256 of the whole key.

    created_by: the actor of the event. last_used_at: to a minute. expires_at: the end of the overlap, where another key has
    taken its place. suspended_at: None while it is accepted. permissions: they never change; None: all. requests_per_minute:
    to the Processing API's payments; None: RATE_LIMIT_PROCESSING.
    """

    __tablename__ = "api_keys"

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID] = mapped_column(index=True)
    prefix: Mapped[Words] = mapped_column(unique=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[Words]
    created_at: Mapped[Moment]
    revoked_at: Mapped[Moment | None]
    created_by: Mapped[Words | None]
    last_used_at: Mapped[Moment | None]
    expires_at: Mapped[Moment | None]
    suspended_at: Mapped[Moment | None]
    permissions: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    requests_per_minute: Mapped[int | None]


class ProviderAccount(Base):
    """A tenant's own credentials at a provider, sealed (app/crypto.py). environment: sandbox or live; both may exist,
    at most one of a provider is in use. callback_token is the digest of the secret end of its webhook URL."""

    __tablename__ = "provider_accounts"
    __table_args__ = (
        CheckConstraint("environment IN ('sandbox', 'live')"),
        Index("provider_accounts_in_use", "tenant_id", "provider", unique=True, postgresql_where="is_active"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    provider: Mapped[Words]
    environment: Mapped[Words]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    callback_token: Mapped[Words] = mapped_column(unique=True)
    is_active: Mapped[bool]
    created_at: Mapped[Moment]
