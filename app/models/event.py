"""The outbox a change writes to, and the event log that the relay writes from it."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import BigKey, Moment, Words


class OutboxRow(Base):
    """A change, inserted in its own transaction after its object was locked; the relay deletes it in id order."""

    __tablename__ = "outbox"

    id: Mapped[BigKey] = mapped_column(autoincrement=True)
    tenant_id: Mapped[uuid.UUID | None]
    type: Mapped[Words]
    object_id: Mapped[Words]
    actor: Mapped[Words | None]
    address: Mapped[Words | None]
    is_public: Mapped[bool]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[Moment]


class Event(Base):
    """Audit trail, webhook source and cursor at once. `seq` has no gaps; `hmac` covers the row and the one before."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_tenant_id_seq", "tenant_id", "seq"),
        Index("events_object_id_seq", "object_id", "seq"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tenant_id: Mapped[uuid.UUID | None]
    type: Mapped[Words]
    object_id: Mapped[Words]
    actor: Mapped[Words | None]
    address: Mapped[Words | None]
    is_public: Mapped[bool]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[Moment]
    hmac: Mapped[bytes] = mapped_column(LargeBinary)

    @property
    def public_id(self) -> str:
        """`evt_` + 24 hex digits of the HMAC: unique, and cannot be guessed from the previous one."""
        return "evt_" + self.hmac[:12].hex()


class RelayState(Base):
    """How far the relay has pushed to Socket.IO. One row."""

    __tablename__ = "relay_state"
    __table_args__ = (CheckConstraint("id = 1"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    pushed_through: Mapped[int] = mapped_column(BigInteger)
