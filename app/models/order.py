"""Orders: what a customer is to pay a tenant for, once."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import CHAR, CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Minor, Moment, Words


class OrderStatus(StrEnum):
    """Where an order stands. It is stored nowhere: its payments say so (services/orders/orders.py)."""

    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


class Order(Base):
    """Its payments name it; at most one of them is alive or has collected (the index payments_live_of_order). Whether it is
    paid is what they say. items: `{name, quantity, unit_price?, sku?}` each, unit_price in minor units. reference: the tenant's
    own number of it."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        # By time and id, not by id: a tenant may choose the id.
        Index("orders_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        Index("orders_tenant_id_customer_id_created_at_id", "tenant_id", "customer_id", "created_at", "id"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    customer_id: Mapped[uuid.UUID]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    items: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    reference: Mapped[Words | None]
    description: Mapped[Words | None]
    created_at: Mapped[Moment]
    cancelled_at: Mapped[Moment | None]
