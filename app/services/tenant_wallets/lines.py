"""The lines of a tenant's wallet: each posting on it, with the fee as a line of its own.

The ledger posts the net of a payment to the wallet. The lines show what the customer paid and what the fee took: their sum is the
posting. Lines are newest first; a page costs the same wherever it is in the list.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import ARRAY, BigInteger, Uuid, bindparam, select, text
from sqlalchemy.orm import Session

from app import ids
from app.errors import InvalidRequest
from app.ledger import marks
from app.ledger.chart import tenant_wallet
from app.models.account import Account, AccountId, AccountKind
from app.models.ledger import Posting
from app.money import Money
from app.principal import Principal
from app.unit_of_work import reading

FEE: Final = "fee"

TYPES: Final = (
    "payment",
    FEE,
    "refund",
    "refund_return",
    "reversal",
    "dispute",
    "dispute_return",
    "suspense_release",
    "deposit",
    "withdrawal",
    "withdrawal_return",
)
"""Types of lines: the fee's, and kinds of ledger entries, some by another name."""

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"payout": "withdrawal", "payout_return": "withdrawal_return"}
)
"""What the kinds of entries that carry out a withdrawal are called."""

MAX_SCANNED: Final = 10_000
"""Postings that one request looks at: a page of a rare type may end before it is full, with a cursor that goes on."""

MORE: Final = 1_000
"""Of them, at once, where the first ones did not fill the page."""

TIME_SLACK: Final = timedelta(minutes=1)
"""Postings of one account are in the order of their times but for this."""

_CURSOR: Final = re.compile(r"txn_([0-9a-f]{32})(_fee)?")
_AFTER_ALL: Final = 2**62


@dataclass(frozen=True, slots=True)
class Line:
    """amount: signed. reference: the merchant's own of the payment. The ids: of what the line is about, as far as it has them."""

    id: str
    type: str
    amount: Money
    at: datetime
    payment_id: uuid.UUID | None
    refund_id: uuid.UUID | None
    withdrawal_id: uuid.UUID | None
    order_id: uuid.UUID | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class WalletPosting:
    """amount: what it changed. fee: what its entry posted as fees; both signed, in minor units. The rest as in Line."""

    id: int
    amount: int
    entry_id: uuid.UUID
    kind: str
    at: datetime
    currency: str
    payment_id: uuid.UUID | None
    refund_id: uuid.UUID | None
    withdrawal_id: uuid.UUID | None
    order_id: uuid.UUID | None
    reference: str | None
    fee: int


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Every criterion that is set must hold. since is included, before is not."""

    type: str | None = None
    currency: str | None = None
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class LinePage:
    """cursor: of the next page; None: there is none."""

    lines: list[Line]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """Postings of an account: least ≤ id < below."""

    account_id: AccountId
    least: int = 0
    below: int = _AFTER_ALL


def list_lines(reader: Principal, wanted: LineFilter, *, limit: int, cursor: str | None = None) -> LinePage:
    """Up to `limit` lines, behind the one with the id `cursor`. Raises InvalidRequest: there is no such line."""
    with reading() as session:
        accounts = _wallets(session, reader.tenant_id)
        after, is_fee = _place(session, list(accounts.values()), cursor)
        chosen = [one for code, one in accounts.items() if wanted.currency in (None, code)]
        spans = [_span(session, one, wanted) for one in chosen]
        return _page(session, spans, wanted, limit=limit, after=after, is_fee=is_fee)


def _wallets(session: Session, tenant_id: uuid.UUID) -> dict[str, AccountId]:
    """Currency → the tenant's wallet, of those that are open."""
    mine = select(Account.currency, Account.id).where(
        Account.tenant_id == tenant_id, Account.kind == AccountKind.TENANT_WALLET
    )
    return {row.currency: row.id for row in session.execute(mine)}


def wallet_account(session: Session, tenant_id: uuid.UUID, currency: str) -> AccountId | None:
    wanted = select(Account.id).where(Account.public_id == tenant_wallet(tenant_id, currency).public_id)
    return session.scalars(wanted).one_or_none()


def postings_of(session: Session, spans: Sequence[Span], *, limit: int) -> list[WalletPosting]:
    """The latest postings of the spans, newest first, each with its entry, its fee, and what it is about."""
    bounds = {
        "accounts": [span.account_id for span in spans],
        "leasts": [span.least for span in spans],
        "belows": [span.below for span in spans],
        "limit": limit,
    }
    found = session.execute(_FOUND, bounds).all()
    # A statement of its own, planned for as many as there are: for as many as there may be, it would read whole tables.
    values = {
        "ids": [row.id for row in found],
        "entries": [row.entry_id for row in found],
        "amounts": [row.amount for row in found],
    }
    return [WalletPosting(*row) for row in session.execute(_POSTINGS, values)] if found else []


def lines_of(row: WalletPosting) -> Iterator[Line]:
    """The lines of a posting, newest first: the fee is taken from what came in."""
    entry = ids.public(ids.TRANSACTION, row.entry_id)
    # Of a debit that the wallet did not cover, the rest is owed: the fee's line is of no more than was taken.
    fee = min(row.fee, -row.amount) if row.amount < 0 else row.fee
    if fee:
        yield _line(row, f"{entry}_fee", FEE, -fee)
    if row.amount + fee:
        yield _line(row, entry, _NAMES.get(row.kind, row.kind), row.amount + fee)


def _line(row: WalletPosting, line_id: str, line_type: str, amount: int) -> Line:
    return Line(
        line_id,
        line_type,
        Money(amount, row.currency),
        row.at,
        row.payment_id,
        row.refund_id,
        row.withdrawal_id,
        row.order_id,
        row.reference,
    )


def _page(
    session: Session, spans: Sequence[Span], wanted: LineFilter, *, limit: int, after: int, is_fee: bool
) -> LinePage:
    """after: the posting of the line before; is_fee: that is its fee's, so that its own comes next."""
    found: list[Line] = []
    scanned, below, last = 0, after + 1 if is_fee else after, ""
    while spans:
        chunk = min(max(limit + 1, MORE if scanned else 0), MAX_SCANNED - scanned)
        rows = postings_of(session, [_cut(span, below) for span in spans], limit=chunk)
        for row in rows:
            for line in lines_of(row):
                if (row.id == after and line.type == FEE) or not _fits(line, wanted):
                    continue
                if len(found) == limit:
                    return LinePage(found, found[-1].id)
                found.append(line)
            below, last = row.id, ids.public(ids.TRANSACTION, row.entry_id)
        scanned += len(rows)
        if len(rows) < chunk:
            break
        if scanned == MAX_SCANNED:
            return LinePage(found, last)
    return LinePage(found, None)


def _cut(span: Span, below: int) -> Span:
    return Span(span.account_id, span.least, min(span.below, below))


def _fits(line: Line, wanted: LineFilter) -> bool:
    return (
        wanted.type in (None, line.type)
        and (wanted.since is None or line.at >= wanted.since)
        and (wanted.before is None or line.at < wanted.before)
    )


def _span(session: Session, account_id: AccountId, wanted: LineFilter) -> Span:
    least, below = 0, _AFTER_ALL
    if wanted.since is not None:
        least = marks.since(session, account_id, wanted.since - TIME_SLACK)
    if wanted.before is not None:
        below = marks.since(session, account_id, wanted.before + TIME_SLACK)
    return Span(account_id, least, below)


def _place(session: Session, accounts: Sequence[AccountId], cursor: str | None) -> tuple[int, bool]:
    """The posting of the line with this id, and whether the line is its fee's."""
    if cursor is None:
        return _AFTER_ALL, False
    match = _CURSOR.fullmatch(cursor)
    posting = None
    if match is not None:
        wanted = select(Posting.id).where(
            Posting.entry_id == uuid.UUID(match[1]), Posting.account_id.in_(accounts)
        )
        posting = session.scalars(wanted).one_or_none()
    if match is None or posting is None:
        raise InvalidRequest("This cursor is not from this list.", field="cursor")
    return posting, match[2] is not None


_FOUND: Final = text(
    """
SELECT one.id, one.entry_id, one.amount
FROM unnest(:accounts, :leasts, :belows) span (account, least, below)
CROSS JOIN LATERAL (
  -- Compared and ordered by both columns, so that only their index will do: ordered by id alone, the planner may walk over
  -- other accounts' postings to find one that has had none lately.
  SELECT p.id, p.entry_id, p.amount FROM postings p
  WHERE (p.account_id, p.id) >= (span.account, span.least) AND (p.account_id, p.id) < (span.account, span.below)
  ORDER BY p.account_id DESC, p.id DESC LIMIT :limit) one
ORDER BY one.id DESC LIMIT :limit
"""
).bindparams(*(bindparam(name, type_=ARRAY(BigInteger)) for name in ("accounts", "leasts", "belows")))

_POSTINGS: Final = text(
    """
SELECT p.id, p.amount, p.entry_id, e.kind, e.at, e.currency, coalesce(a.payment_id, r.payment_id, d.payment_id) AS payment_id,
  r.id AS refund_id, o.withdrawal_id, y.order_id, y.reference,
  coalesce((
    SELECT sum(f.amount) FROM postings f JOIN accounts c ON c.id = f.account_id
    WHERE f.entry_id = p.entry_id AND c.kind = 'fees'), 0)::bigint AS fee
FROM unnest(:ids, :entries, :amounts) p (id, entry_id, amount)
JOIN entries e ON e.id = p.entry_id
LEFT JOIN payment_attempts a ON a.id = e.ref_id
LEFT JOIN refunds r ON r.id = e.ref_id
LEFT JOIN payouts o ON o.id = e.ref_id
LEFT JOIN disputes d ON d.id = e.ref_id
LEFT JOIN payments y ON y.id = coalesce(a.payment_id, r.payment_id, d.payment_id)
ORDER BY p.id DESC
"""
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("entries", type_=ARRAY(Uuid)),
    bindparam("amounts", type_=ARRAY(BigInteger)),
)
