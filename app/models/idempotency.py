"""Idempotency keys that were used, and their answers."""

from __future__ import annotations

import uuid

from sqlalchemy import Index, LargeBinary, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Moment, Words


class IdempotencyRecord(Base):
    """The row of a key stays for ever, so that a key never acts twice; its answer is deleted after 24 hours.

    scope: hash of caller, operation and key. fingerprint: SHA-256 of the validated body; empty for a request without a
    key, whose row is deleted as a whole. status: the answer's HTTP status, NULL while running. body: the answer, or the
    refusal where `is_refusal`; it may hold a customer's details. facts: what wallet payments answer a repeat from.
    """

    __tablename__ = "idempotency"
    __table_args__ = (
        Index("idempotency_sweep", "created_at", postgresql_where="body IS NOT NULL OR fingerprint = ''"),
    )

    scope: Mapped[Key]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    resource_id: Mapped[uuid.UUID | None]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    is_refusal: Mapped[bool]
    body: Mapped[Words | None]
    facts: Mapped[Words | None]
    leased_until: Mapped[Moment | None]
    created_at: Mapped[Moment]
