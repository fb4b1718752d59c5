"""Mails of the gateway: what is sent to whom, and whether it has been."""

from __future__ import annotations

import uuid
from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Key, Moment, Words, one_of


class NotificationKind(StrEnum):
    """What a mail says."""

    BOOKING_CONFIRMATION = "booking.confirmation"


class NotificationState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    """The SMTP server has accepted it; without a server, in demo and test mode: it is kept."""


class Notification(Base):
    """One mail. ref: the id of what it is about; one mail of a kind for each ref. sender: an address, or `Name <address>`; recipient: an
    address. text, html: the two forms of its content. attempts: those that have ended; last_error: of the last one, None when it
    succeeded."""

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("kind", "ref"),
        UniqueConstraint("message_id"),
        one_of("state", NotificationState),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID | None]
    kind: Mapped[NotificationKind] = mapped_column(EnumText(NotificationKind))
    ref: Mapped[uuid.UUID]
    sender: Mapped[Words]
    recipient: Mapped[Words]
    subject: Mapped[Words]
    text: Mapped[Words]
    html: Mapped[Words]
    message_id: Mapped[Words]
    state: Mapped[NotificationState] = mapped_column(EnumText(NotificationState))
    attempts: Mapped[int]
    last_error: Mapped[Words | None]
    created_at: Mapped[Moment]
    sent_at: Mapped[Moment | None]
