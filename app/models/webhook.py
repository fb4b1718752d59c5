"""Webhooks to merchants: where events are sent, what is to be sent there, and each attempt at sending it."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class DeliveryState(StrEnum):
    DUE = "due"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Every attempt has failed: only a replay sends it again."""
    CANCELLED = "cancelled"
    """The endpoint was disabled or deleted before it was sent."""


class WebhookEndpoint(Base):
    """A merchant's URL, or the platform's own where tenant_id is None: it is sent the events that belong to no tenant. events: the types that are sent to it; None: all. sealed_secret: its signing secret (app/crypto.py);
    sealed_previous_secret: the one before, which signs as well until previous_secret_until. disabled_because: `merchant`,
    `failing`, `gone` (it answered 410). failing_since: None when the last attempt succeeded. deleted_at: its deliveries stay.
    leased_until: a worker sends its deliveries, until then at most; fence: of that lease."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        Index("webhook_endpoints_tenant_id_id", "tenant_id", "id", postgresql_where="deleted_at IS NULL"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID | None]
    url: Mapped[Words]
    events: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    previous_secret_until: Mapped[Moment | None]
    is_enabled: Mapped[bool]
    disabled_because: Mapped[Words | None]
    failing_since: Mapped[Moment | None]
    created_at: Mapped[Moment]
    created_by: Mapped[Words]
    updated_at: Mapped[Moment]
    deleted_at: Mapped[Moment | None]
    leased_until: Mapped[Moment | None]
    fence: Mapped[int] = mapped_column(default=0, server_default=text("0"))


class WebhookDelivery(Base):
    """One event for one endpoint. event_seq: the event's number in the log. attempts: those that have ended. is_replay: it was
    requested to be sent again. endpoints: to how many endpoints the event is sent."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        one_of("state", DeliveryState),
        CheckConstraint("endpoints > 0"),
        Index(
            "webhook_deliveries_of_event",
            "endpoint_id",
            "event_seq",
            unique=True,
            postgresql_where="NOT is_replay",
        ),
        Index("webhook_deliveries_due", "next_at", postgresql_where="state = 'due'"),
        Index(
            "webhook_deliveries_first",
            "endpoint_id",
            "event_seq",
            postgresql_where="state = 'due' AND attempts = 0",
        ),
        Index(
            "webhook_deliveries_again",
            "endpoint_id",
            "next_at",
            "event_seq",
            postgresql_where="state = 'due' AND attempts > 0",
        ),
        Index(
            "webhook_deliveries_of_endpoint",
            "endpoint_id",
            "next_at",
            "event_seq",
            postgresql_where="state = 'due'",
        ),
        Index("webhook_deliveries_dead", "finished_at", postgresql_where="state = 'dead'"),
        Index("webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        Index("webhook_deliveries_tenant_id_id", "tenant_id", "id"),
    )

    id: Mapped[Key]
    endpoint_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID | None]
    event_seq: Mapped[int] = mapped_column(BigInteger)
    object_id: Mapped[Words]
    state: Mapped[DeliveryState] = mapped_column(EnumText(DeliveryState))
    attempts: Mapped[int]
    next_at: Mapped[Moment]
    is_replay: Mapped[bool]
    endpoints: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[Moment]
    finished_at: Mapped[Moment | None]


class WebhookAttempt(Base):
    """address: the one that was connected to. error: why there is no status. answer: at most the first 4,096 bytes, as text."""

    __tablename__ = "webhook_attempts"
    __table_args__ = (
        Index("webhook_attempts_delivery_id_id", "delivery_id", "id"),
        Index("webhook_attempts_endpoint_id_id", "endpoint_id", "id"),
    )

    id: Mapped[Key]
    delivery_id: Mapped[uuid.UUID]
    endpoint_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID | None]
    number: Mapped[int]
    at: Mapped[Moment]
    duration_ms: Mapped[int]
    address: Mapped[Words | None]
    status: Mapped[int | None]
    error: Mapped[Words | None]
    answer: Mapped[Words | None]
    is_by_hand: Mapped[bool]
