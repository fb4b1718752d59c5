"""A deposit into or a withdrawal from a wallet without a provider (demo, test, or a funding scope)."""

from __future__ import annotations

import uuid

from sqlalchemy import CHAR, BigInteger, CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Minor, Moment, Words


class DirectFunding(Base):
    """kind: deposit or withdrawal. `counterparty` is the source of a deposit or the destination of a withdrawal."""

    __tablename__ = "direct_fundings"
    __table_args__ = (CheckConstraint("amount > 0"), CheckConstraint("kind IN ('deposit', 'withdrawal')"))

    id: Mapped[Key]
    kind: Mapped[Words]
    user_id: Mapped[uuid.UUID]
    account_id: Mapped[int] = mapped_column(BigInteger, index=True)
    entry_id: Mapped[uuid.UUID]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    counterparty: Mapped[Words]
    reference: Mapped[Words | None]
    description: Mapped[Words | None]
    created_at: Mapped[Moment]
