"""What an account had after one of its postings, without summing all of them.

Guarantees: a mark is the sum of postings that can no longer get another one between them. The sum from the nearest mark on is of
at most MARK_EVERY postings, and those of the last SETTLED_AFTER.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.orm import Session

from app.models.account import AccountId
from app.models.ledger import BalanceMark, Entry, Posting

MARK_EVERY: Final = 1_000
"""Postings between two marks."""

SETTLED_AFTER: Final = timedelta(hours=1)
"""A posting so old has no lower id beside it that is still to be committed: no statement runs that long."""

MAX_MARKS: Final = 300
"""Made at once: of 300,000 postings, less than half a second."""


def since(session: Session, account_id: AccountId, at: datetime) -> int:
    """The least posting id such that every posting of the account with a lower one is earlier; callers leave a margin around `at`
    (sql/posting_since.sql)."""
    found = session.execute(
        text("SELECT posting_since(:account, :at)"), {"account": account_id, "at": at}
    ).scalar_one()
    return int(found or 0)


def balance_before(session: Session, account_id: AccountId, posting_id: int) -> int:
    """The sum of the account's postings with lower ids, in minor units."""
    marked, balance = _nearest(session, account_id, below=posting_id)
    rest = select(func.coalesce(func.sum(Posting.amount), 0)).where(
        Posting.account_id == account_id, Posting.id > marked, Posting.id < posting_id
    )
    return balance + int(session.execute(rest).scalar_one())


def is_far(session: Session, account_id: AccountId, posting_id: int, *, now: datetime) -> bool:
    """Whether a mark is missing between the nearest one and this posting."""
    marked, _ = _nearest(session, account_id, below=posting_id)
    place = tuple_(Posting.account_id, Posting.id)
    due = (
        select(Posting.id)
        .where(place > tuple_(account_id, marked), place < tuple_(account_id, posting_id))
        .order_by(Posting.account_id, Posting.id)
        .offset(MARK_EVERY - 1)
        .limit(1)
        .scalar_subquery()
    )
    wanted = select(Entry.at).join(Posting, Posting.entry_id == Entry.id).where(Posting.id == due)
    made_at = session.execute(wanted).scalar_one_or_none()
    return made_at is not None and made_at < now - SETTLED_AFTER


def extend(session: Session, account_id: AccountId, *, now: datetime) -> None:
    """Make the marks that are missing, MAX_MARKS at most."""
    marked, balance = _nearest(session, account_id)
    session.execute(
        _EXTEND,
        {
            "account": account_id,
            "marked": marked,
            "balance": balance,
            "every": MARK_EVERY,
            "most": MARK_EVERY * MAX_MARKS,
            "settled": now - SETTLED_AFTER,
        },
    )


def _nearest(session: Session, account_id: AccountId, *, below: int | None = None) -> tuple[int, int]:
    """The last mark (before the posting `below`): its posting and balance."""
    wanted = select(BalanceMark.posting_id, BalanceMark.balance).where(BalanceMark.account_id == account_id)
    if below is not None:
        wanted = wanted.where(BalanceMark.posting_id < below)
    row = session.execute(wanted.order_by(BalanceMark.posting_id.desc()).limit(1)).first()
    return (0, 0) if row is None else (row.posting_id, row.balance)


_EXTEND: Final = text(
    """
INSERT INTO balance_marks (account_id, posting_id, balance)
SELECT :account, p.id, :balance + p.balance FROM (
  SELECT id, entry_id, row_number() OVER (ORDER BY id) AS number, sum(amount) OVER (ORDER BY id) AS balance
  FROM (
    SELECT id, entry_id, amount FROM postings
    WHERE (account_id, id) > (:account, :marked) AND (account_id, id) < (:account + 1, 0)
    ORDER BY account_id, id LIMIT :most) next) p
JOIN entries e ON e.id = p.entry_id
WHERE p.number % :every = 0 AND e.at < :settled
ON CONFLICT DO NOTHING
"""
)
