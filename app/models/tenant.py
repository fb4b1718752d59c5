"""Merchants: tenants, the keys their backends call with, and their accounts at providers."""

from __future__ import annotations

import uuid

from sqlalchemy import CheckConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Moment, Words


class Tenant(Base):
    """A merchant. plan: starter, growth or enterprise (fees). Never deleted; the keys of a suspended one are refused."""

    __tablename__ = "tenants"
    __table_args__ = (CheckConstraint("plan IN ('starter', 'growth', 'enterprise')"),)

    id: Mapped[Key]
    name: Mapped[Words]
    plan: Mapped[Words]
    is_active: Mapped[bool]
    created_at: Mapped[Moment]


class ApiKey(Base):
    """prefix: the key's first characters, by which it is found; secret_hash: SHA-256 of the whole key."""

    __tablename__ = "api_keys"

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID] = mapped_column(index=True)
    prefix: Mapped[Words] = mapped_column(unique=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[Words]
    created_at: Mapped[Moment]
    revoked_at: Mapped[Moment | None]


class ProviderAccount(Base):
    """A tenant's own credentials at a provider, sealed (app/crypto.py). environment: sandbox or live; both may exist,
    at most one of a provider is in use. callback_token names the account in its webhook URL."""

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
