"""Callbacks as they were received: stored first, processed afterwards."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class ProviderEventState(StrEnum):
    """Where a provider event stands. `IGNORED`: it is about nothing of ours. `DEAD`: an operator may retry it."""

    RECEIVED = "received"
    """A job will process it."""
    PROCESSED = "processed"
    IGNORED = "ignored"
    DEAD = "dead"


class ProviderEvent(Base):
    """One callback of a provider; a repeat is counted. scope: the account or path token it was received for.

    headers: without credentials. path_token: what is stored of the secret end of the URL it was
    sent to, if any (callback_token of the attempt, refund or account).
    confirmations: how often the provider was queried and did not confirm it. room: what it is counted under where nothing
    vouches for it: the id of the attempt it names, or its provider.
    """

    __tablename__ = "provider_events"
    __table_args__ = (
        UniqueConstraint("provider", "scope", "provider_event_id"),
        one_of("state", ProviderEventState),
        Index("provider_events_state_id", "state", "id"),
        Index("provider_events_room_id", "room", "id", postgresql_where=text("room IS NOT NULL")),
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
    room: Mapped[Words | None]
    method: Mapped[Words]
    query: Mapped[dict[str, Any]] = mapped_column(JSONB)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[ProviderEventState] = mapped_column(EnumText(ProviderEventState))
    result: Mapped[Words | None]
    payment_id: Mapped[uuid.UUID | None]
    repeats: Mapped[int] = mapped_column(default=0)
    confirmations: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[Moment]
    processed_at: Mapped[Moment | None]
