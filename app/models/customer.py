"""A tenant's customers, and the payment methods they have saved."""

from __future__ import annotations

import uuid

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from app.extensions import Base
from app.models.types import Json, Key, Moment, Words


class Customer(Base):
    """phone: E.164. reference: the tenant's own id of the customer, if it has one. preferred_provider: None until one is chosen."""

    __tablename__ = "customers"
    __table_args__ = (
        Index("customers_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        Index(
            "customers_tenant_id_reference",
            "tenant_id",
            "reference",
            unique=True,
            postgresql_where="reference IS NOT NULL",
        ),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    name: Mapped[Words | None]
    email: Mapped[Words | None]
    phone: Mapped[Words | None]
    reference: Mapped[Words | None]
    preferred_provider: Mapped[Words | None]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]


class PaymentMethod(Base):
    """What a customer pays with at a provider. method_id: what the API calls it, by provider and details; saving it again
    replaces it. details: as document 002 has them for the provider."""

    __tablename__ = "payment_methods"
    __table_args__ = (
        UniqueConstraint("customer_id", "method_id"),
        Index("payment_methods_default", "customer_id", unique=True, postgresql_where="is_default"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    customer_id: Mapped[uuid.UUID]
    method_id: Mapped[Words]
    provider: Mapped[Words]
    details: Mapped[Json]
    is_default: Mapped[bool]
    saved_at: Mapped[Moment]
