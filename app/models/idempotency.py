"""What a client's key was used for, and the answer it got."""

from __future__ import annotations

import uuid

from sqlalchemy import LargeBinary, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Moment, Words


class IdempotencyRecord(Base):
    """The row stays for ever, its answer with it, so an old key can never book again.

    scope: hash of caller, method, route and key. fingerprint: SHA-256 of the validated body.
    status: the answer's HTTP status, NULL while running. is_refusal: `body` names a refusal, not an answer body.
    """

    __tablename__ = "idempotency"

    scope: Mapped[Key]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    resource_id: Mapped[uuid.UUID | None]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    is_refusal: Mapped[bool]
    body: Mapped[Words | None]
    fence: Mapped[int] = mapped_column(default=1)
    leased_until: Mapped[Moment | None]
    created_at: Mapped[Moment]
