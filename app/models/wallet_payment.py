"""A payment from one wallet to another."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import CHAR, BigInteger, CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app import ids
from app.extensions import Base
from app.models.types import EnumText, Key, Minor, Moment, Words, one_of


class WalletPaymentStatus(StrEnum):
    """A new payment is `pending` until the relay has published it. No path leads to `processing` or `failed` today: a
    refused payment has no row."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class WalletPayment(Base):
    """The money moved when the row was inserted."""

    __tablename__ = "wallet_payments"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        one_of("status", WalletPaymentStatus),
        Index("wallet_payments_sender_id_id", "sender_id", "id"),
        Index("wallet_payments_recipient_id_id", "recipient_id", "id"),
    )

    id: Mapped[Key]
    sender_id: Mapped[uuid.UUID]
    recipient_id: Mapped[uuid.UUID]
    source_id: Mapped[int] = mapped_column(BigInteger)
    destination_id: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[Words]
    destination: Mapped[Words]
    entry_id: Mapped[uuid.UUID]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    description: Mapped[Words | None]
    # "metadata" is reserved by SQLAlchemy on a model.
    payment_metadata: Mapped[dict[str, object] | None] = mapped_column("metadata", JSONB)
    status: Mapped[WalletPaymentStatus] = mapped_column(EnumText(WalletPaymentStatus))
    failure_reason: Mapped[Words | None]
    created_at: Mapped[Moment]
    completed_at: Mapped[Moment | None]

    @property
    def public_id(self) -> str:
        return ids.public(ids.PAYMENT, self.id)

    @property
    def transaction_id(self) -> str:
        return ids.public(ids.TRANSACTION, self.entry_id)
