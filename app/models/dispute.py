"""Disputes: a customer's bank takes a payment back, and the merchant may contest it."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import CHAR, CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Minor, Moment, Words, one_of


class DisputeState(StrEnum):
    INQUIRY = "inquiry"
    """The customer's bank only asks: nothing is held."""
    OPEN = "open"
    """The amount, or what there was of it, is held in the merchant's wallet."""
    WON = "won"
    """The hold was released; after a lost dispute, the money was posted back."""
    LOST = "lost"
    """The amount was taken from the merchant."""
    CLOSED = "closed"
    """It ended without a decision: nothing was taken."""


class Dispute(Base):
    """provider_reference: the provider's id of it. provider_status: the provider's word. amount: what is disputed, minor units.

    held: what of it is held in the merchant's wallet under the dispute's id. owed: what the merchant lacked when it was lost.
    """

    __tablename__ = "disputes"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        CheckConstraint("held >= 0"),
        CheckConstraint("owed >= 0"),
        one_of("state", DisputeState),
        Index(
            "disputes_provider_reference",
            "provider_reference",
            "provider",
            "account_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("disputes_payment_id", "payment_id"),
        Index("disputes_tenant_id_id", "tenant_id", "id"),
    )

    id: Mapped[Key]
    payment_id: Mapped[uuid.UUID]
    attempt_id: Mapped[uuid.UUID]
    tenant_id: Mapped[uuid.UUID]
    provider: Mapped[Words]
    account_id: Mapped[uuid.UUID | None]
    provider_reference: Mapped[Words]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    reason: Mapped[Words | None]
    provider_status: Mapped[Words]
    state: Mapped[DisputeState] = mapped_column(EnumText(DisputeState))
    held: Mapped[Minor]
    owed: Mapped[Minor]
    opened_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    closed_at: Mapped[Moment | None]
