"""The ledger's own tables, for reading. Only `app/ledger` writes them."""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy import CHAR, BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import BigKey, Key, Minor, Moment, Words


class Entry(Base):
    """A change of balances in one currency; its postings sum to zero. Insert-only."""

    __tablename__ = "entries"
    __table_args__ = (UniqueConstraint("ref_id", "kind"),)

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID | None]
    kind: Mapped[Words]
    ref_id: Mapped[uuid.UUID]
    currency: Mapped[str] = mapped_column(CHAR(3))
    at: Mapped[Moment]


class Posting(Base):
    """A signed amount on one account; positive raises what the owner has. Insert-only."""

    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint("amount <> 0"),
        Index("postings_account_id_id", "account_id", "id"),
        Index("postings_entry_id", "entry_id"),
    )

    id: Mapped[BigKey] = mapped_column(autoincrement=True)
    entry_id: Mapped[uuid.UUID]
    account_id: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[Minor]


class Unfolded(Base):
    """Postings not yet added to their account's balance row."""

    __tablename__ = "unfolded"

    account_id: Mapped[BigKey]
    posting_id: Mapped[BigKey]
    amount: Mapped[Minor]


class BalanceMark(Base):
    """balance: the sum of the account's postings up to this one (app/ledger/marks.py)."""

    __tablename__ = "balance_marks"

    account_id: Mapped[BigKey]
    posting_id: Mapped[BigKey]
    balance: Mapped[Minor]


class Hold(Base):
    """Part of a balance set aside. state: open, captured, released."""

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("amount > 0"),
        CheckConstraint("state IN ('open', 'captured', 'released')"),
        Index("holds_account_id_open", "account_id", postgresql_where="state = 'open'"),
    )

    ref_id: Mapped[Key]
    account_id: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[Minor]
    state: Mapped[Words]
    opened_at: Mapped[Moment]
    closed_at: Mapped[Moment | None]


class Spending(Base):
    """US cents a user sent on one UTC day, over all wallets."""

    __tablename__ = "spending"
    __table_args__ = (CheckConstraint("usd_minor >= 0"),)

    user_id: Mapped[Key]
    day: Mapped[date] = mapped_column(primary_key=True)
    usd_minor: Mapped[Minor]
