"""What an account had after one of its postings, without summing all of them.

Guarantees: a mark is the sum of postings that can no longer get another one between them. The sum from the nearest mark on is of
at most MARK_EVERY postings, and those of the last SETTLED_AFTER.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.models.account import AccountId
from app.models.ledger import BalanceMark, Entry, Posting

MARK_EVERY: Final = 10_000
"""Postings between two marks."""

SETTLED_AFTER: Final = timedelta(hours=1)
"""A posting so old has no lower id beside it that is still to be committed: no statement runs that long."""

MAX_MARKS: Final = 100
"""Made at once: a million postings, half a second."""


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
    found = _next(session, account_id, marked, now=now)
    return found is not None and found[0] < posting_id


def extend(session: Session, account_id: AccountId, *, now: datetime) -> None:
    """Make the marks that are missing, MAX_MARKS at most."""
    marked, balance = _nearest(session, account_id)
    for _ in range(MAX_MARKS):
        found = _next(session, account_id, marked, now=now)
        if found is None:
            return
        marked, balance = found[0], balance + found[1]
        row = {"account_id": account_id, "posting_id": marked, "balance": balance}
        session.execute(insert(BalanceMark).values(row).on_conflict_do_nothing())


def _nearest(session: Session, account_id: AccountId, *, below: int | None = None) -> tuple[int, int]:
    """The last mark (before the posting `below`): its posting and balance."""
    wanted = select(BalanceMark.posting_id, BalanceMark.balance).where(BalanceMark.account_id == account_id)
    if below is not None:
        wanted = wanted.where(BalanceMark.posting_id < below)
    row = session.execute(wanted.order_by(BalanceMark.posting_id.desc()).limit(1)).first()
    return (0, 0) if row is None else (row.posting_id, row.balance)


def _next(session: Session, account_id: AccountId, after: int, *, now: datetime) -> tuple[int, int] | None:
    """The posting that the next mark is due at, and the sum up to there; None: it is not due."""
    chunk = (
        select(Posting.id, Posting.amount)
        .where(Posting.account_id == account_id, Posting.id > after)
        .order_by(Posting.id)
        .limit(MARK_EVERY)
        .subquery()
    )
    sums = select(func.count(), func.max(chunk.c.id), func.coalesce(func.sum(chunk.c.amount), 0))
    count, last, total = session.execute(sums.select_from(chunk)).one()
    if count < MARK_EVERY:
        return None
    wanted = select(Entry.at).join(Posting, Posting.entry_id == Entry.id).where(Posting.id == last)
    made_at = session.execute(wanted).scalar_one()
    return (last, int(total)) if made_at < now - SETTLED_AFTER else None
