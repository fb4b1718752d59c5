"""The version of the reference data: what processes keep in memory is compared with it."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base


class ReferenceVersion(Base):
    """One row. Triggers raise `version` with every change of tenants, API keys, provider accounts and fee rules."""

    __tablename__ = "reference_data"
    __table_args__ = (CheckConstraint("id = 1"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, default=1)
    version: Mapped[int] = mapped_column(BigInteger)
