"""Callbacks as they came in: stored first, understood afterwards."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Moment, Words


class ProviderEvent(Base):
    """One piece of news from a provider; repeats only count up. scope: the account or path token it came by.

    state: received (a job will process it), processed, ignored (nothing of ours), dead (given up: an operator retries).
    headers: without credentials. path_token: the secret end of the URL it came to, if any.
    confirmations: how often the provider was asked and did not say so (yet).
    """

    __tablename__ = "provider_events"
    __table_args__ = (
        UniqueConstraint("provider", "scope", "provider_event_id"),
        CheckConstraint("state IN ('received', 'processed', 'ignored', 'dead')"),
        Index("provider_events_state_id", "state", "id"),
    )

    id: Mapped[Key]
    provider: Mapped[Words]
    scope: Mapped[Words]
    provider_event_id: Mapped[Words]
    event_type: Mapped[Words]
    kind: Mapped[Words]
    is_verified: Mapped[bool]
    reference: Mapped[Words | None]
    provider_reference: Mapped[Words | None]
    path_token: Mapped[Words | None]
    account_id: Mapped[uuid.UUID | None]
    method: Mapped[Words]
    query: Mapped[dict[str, Any]] = mapped_column(JSONB)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[Words]
    result: Mapped[Words | None]
    payment_id: Mapped[uuid.UUID | None]
    repeats: Mapped[int] = mapped_column(default=0)
    confirmations: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[Moment]
    processed_at: Mapped[Moment | None]
