"""Ledger accounts: wallets of users and tenants, and the platform's own accounts."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import NewType

from sqlalchemy import CHAR, BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import EnumText, Minor, Moment, Words

AccountId = NewType("AccountId", int)
"""The id of a ledger account; a provider account has a UUID."""


class AccountKind(StrEnum):
    """What a ledger account stands for. Some hold money of one owner, the others are the platform's own."""

    WALLET = "wallet"
    """A user's wallet. Floored."""
    TENANT_WALLET = "tenant_wallet"
    """What the platform owes a tenant in one currency. Floored."""
    TENANT_DIRECT = "tenant_direct"
    """What a tenant collected on provider accounts of its own. Floored."""
    SUSPENSE = "suspense"
    """Money of a tenant's payments that waits for an operator's decision."""
    CLEARING = "clearing"
    """What a provider holds for the platform or a tenant, with the sign turned."""
    FEES = "fees"
    """What tenants paid for operations."""
    RECEIVABLE = "receivable"
    """What a tenant owes the platform, with the sign turned."""
    EXTERNAL = "external"
    """Money outside: banks, cash."""


class Account(Base):
    """`balance` lags behind by the account's unfolded credits: read `AccountBalance`, never this column.

    floored: may not go below zero.
    """

    __tablename__ = "accounts"

    id: Mapped[AccountId] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    public_id: Mapped[Words] = mapped_column(unique=True)
    tenant_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    kind: Mapped[AccountKind] = mapped_column(EnumText(AccountKind))
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

    id: Mapped[AccountId] = mapped_column(BigInteger, primary_key=True)
    public_id: Mapped[Words]
    owner_id: Mapped[uuid.UUID | None]
    kind: Mapped[AccountKind] = mapped_column(EnumText(AccountKind))
    wallet_type: Mapped[Words | None]
    name: Mapped[Words | None]
    currency: Mapped[str] = mapped_column(CHAR(3))
    frozen: Mapped[bool]
    balance: Mapped[Minor]
    held: Mapped[Minor]
    created_at: Mapped[Moment]
