"""What tenants pay for operations: rules as rows."""

from __future__ import annotations

import uuid

from sqlalchemy import CHAR, BigInteger, CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Minor, Moment, Words


class FeeRule(Base):
    """NULL matches anything; the most specific rule wins (services/tenants/fees.py).

    operation: payment or withdrawal. from_minor ≤ amount < below_minor, minor units of `currency`.
    The fee: fixed_minor + amount × rate_ppm / 1,000,000, rounded half up, at most the amount.
    """

    __tablename__ = "fee_rules"
    __table_args__ = (
        CheckConstraint("operation IN ('payment', 'withdrawal')"),
        CheckConstraint("fixed_minor >= 0 AND rate_ppm >= 0 AND rate_ppm <= 1000000"),
        CheckConstraint(
            "currency IS NOT NULL OR (fixed_minor = 0 AND from_minor = 0 AND below_minor IS NULL)"
        ),
    )

    id: Mapped[Key]
    operation: Mapped[Words]
    tenant_id: Mapped[uuid.UUID | None]
    plan: Mapped[Words | None]
    provider: Mapped[Words | None]
    method: Mapped[Words | None]
    currency: Mapped[str | None] = mapped_column(CHAR(3))
    from_minor: Mapped[Minor] = mapped_column(default=0)
    below_minor: Mapped[int | None] = mapped_column(BigInteger)
    fixed_minor: Mapped[Minor] = mapped_column(default=0)
    rate_ppm: Mapped[Minor] = mapped_column(default=0)
    created_at: Mapped[Moment]
