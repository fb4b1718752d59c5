"""Accounts: a wallet is one, and so is every account of the house."""

from __future__ import annotations

import uuid

from sqlalchemy import CHAR
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import BigKey, Minor, Moment, Words


class Account(Base):
    """`balance` lags behind by the account's unfolded credits: read `AccountBalance`, never this column.

    floored: may not go below zero (wallets). kind: wallet, external (money outside: banks, cash).
    """

    __tablename__ = "accounts"

    id: Mapped[BigKey] = mapped_column(autoincrement=True)
    public_id: Mapped[Words] = mapped_column(unique=True)
    tenant_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    kind: Mapped[Words]
    wallet_type: Mapped[Words | None]
    name: Mapped[Words | None]
    currency: Mapped[str] = mapped_column(CHAR(3))
    floored: Mapped[bool]
    frozen: Mapped[bool]
    balance: Mapped[Minor]
    held: Mapped[Minor]
    created_at: Mapped[Moment]


class AccountBalance(Base):
    """The view `account_balances`: row and unfolded credits read in one statement, so the sum is of one moment."""

    __tablename__ = "account_balances"
    __table_args__ = ({"info": {"is_view": True}},)

    id: Mapped[BigKey]
    public_id: Mapped[Words]
    owner_id: Mapped[uuid.UUID | None]
    kind: Mapped[Words]
    wallet_type: Mapped[Words | None]
    name: Mapped[Words | None]
    currency: Mapped[str] = mapped_column(CHAR(3))
    frozen: Mapped[bool]
    balance: Mapped[Minor]
    held: Mapped[Minor]
    created_at: Mapped[Moment]
