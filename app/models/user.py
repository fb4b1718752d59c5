"""Users, and the sessions that their tokens name."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app import ids
from app.extensions import Base
from app.models.types import Key, Moment, Words


class Scope(StrEnum):
    """What a user may do beyond their own wallets."""

    ADMIN = "admin"
    """Operate the gateway."""


class User(Base):
    """`tier` is the KYC tier 0–3 (services/wallets/spending_limits.py). `email` is stored lower-case. scopes: see Scope.

    email_confirmed_at: when the address was proved to be the user's; None: they are not paid by it.
    """

    __tablename__ = "users"

    id: Mapped[Key]
    email: Mapped[Words] = mapped_column(unique=True)
    password_hash: Mapped[Words]
    first_name: Mapped[Words]
    last_name: Mapped[Words]
    phone: Mapped[Words | None]
    tier: Mapped[int] = mapped_column(SmallInteger, default=0)
    is_active: Mapped[bool] = mapped_column(default=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    created_at: Mapped[Moment]
    email_confirmed_at: Mapped[Moment | None]

    @property
    def public_id(self) -> str:
        return ids.public(ids.USER, self.id)


class EmailConfirmation(Base):
    """The token by which a user confirms their e-mail address, as its SHA-256; the row is deleted when it is used."""

    __tablename__ = "email_confirmations"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[Moment]


class UserSession(Base):
    """One login. Tokens name it; revoking the row ends them all. `refresh_id` is the only refresh token it takes.

    network: where the login came from, as limits count it (app/addresses.py); None when it is not known. refreshed_at: None
    before the first refresh.
    """

    __tablename__ = "sessions"

    id: Mapped[Key]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    refresh_id: Mapped[uuid.UUID]
    created_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    revoked_at: Mapped[Moment | None]
    network: Mapped[Words | None]
    refreshed_at: Mapped[Moment | None]

    @property
    def public_id(self) -> str:
        return ids.public(ids.SESSION, self.id)

    @property
    def last_used_at(self) -> datetime:
        """The login, or the last refresh."""
        return self.refreshed_at or self.created_at


class PasswordAttempts(Base):
    """Wrong passwords in a row (services/identity/password_attempts.py). bucket: a digest that names the e-mail address.

    An attempt is refused before `refused_until`; None: none is refused.
    """

    __tablename__ = "password_attempts"

    bucket: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[Moment] = mapped_column(index=True)
    refused_until: Mapped[Moment | None]
