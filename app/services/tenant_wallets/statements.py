"""Statements of a tenant's wallet: what it had, what came and went, what it had then.

Guarantees: all is of one moment, and the closing balance is the opening one and the sum of the lines. What the opening balance
costs does not grow with the wallet (app/ledger/marks.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from app import clock
from app.errors import InvalidRequest, ServiceUnavailable
from app.ledger import marks
from app.models.account import AccountId
from app.models.tenant import Tenant
from app.money import Money, exponent_of
from app.principal import Principal
from app.services.tenant_wallets.lines import TIME_SLACK, Line, Span, lines_of, postings_of, wallet_account
from app.unit_of_work import reading, transaction

MAX_PERIOD: Final = timedelta(days=366)

MAX_POSTINGS: Final = 10_000
"""Of one statement; one of a payment has two lines, with the fee's."""


@dataclass(frozen=True, slots=True)
class Statement:
    """lines: oldest first, from `since` on, and before `before`."""

    since: datetime
    before: datetime
    opening: Money
    closing: Money
    lines: list[Line]


def statement(
    reader: Principal, *, since: datetime, before: datetime, currency: str | None = None
) -> Statement:
    """currency: None for the tenant's.

    Raises UnsupportedCurrency; InvalidRequest: the period is empty, longer than MAX_PERIOD, or has more than MAX_POSTINGS;
    ServiceUnavailable: the wallet has so many postings that its marks need another request.
    """
    if not since < before <= since + MAX_PERIOD:
        raise InvalidRequest(
            f"The period must be of at most {MAX_PERIOD.days} days, and end after it begins."
        )
    with reading() as session:
        wanted = currency or session.get_one(Tenant, reader.tenant_id).currency
        exponent_of(wanted)
        account_id = wallet_account(session, reader.tenant_id, wanted)
    if account_id is None:
        return Statement(since, before, Money(0, wanted), Money(0, wanted), [])
    return _of_account(account_id, since=since, before=before, currency=wanted)


def _of_account(account_id: AccountId, *, since: datetime, before: datetime, currency: str) -> Statement:
    _mark(account_id, since)
    with reading() as session:
        span = _span(session, account_id, since, before)
        rows = postings_of(session, [span], limit=MAX_POSTINGS + 1)
        if len(rows) > MAX_POSTINGS:
            raise InvalidRequest(
                f"The period has more than {MAX_POSTINGS:,} entries: ask for a shorter one, or page through the transactions."
            )
        opening = marks.balance_before(session, account_id, span.least)
    rows = rows[::-1]
    opening += sum(row.amount for row in rows if row.at < since)
    lines = [line for row in rows if since <= row.at < before for line in reversed(list(lines_of(row)))]
    closing = opening + sum(line.amount.amount_minor for line in lines)
    return Statement(since, before, Money(opening, currency), Money(closing, currency), lines)


def _span(session: Session, account_id: AccountId, since: datetime, before: datetime) -> Span:
    least = marks.since(session, account_id, since - TIME_SLACK)
    return Span(account_id, least, marks.since(session, account_id, before + TIME_SLACK))


def _mark(account_id: AccountId, since: datetime) -> None:
    """Make the marks that the opening balance lacks. Raises ServiceUnavailable: it still lacks some."""
    now = clock.now()

    def is_far(session: Session) -> bool:
        least = marks.since(session, account_id, since - TIME_SLACK)
        return marks.is_far(session, account_id, least, now=now)

    with reading() as session:
        if not is_far(session):
            return
    transaction(lambda session: marks.extend(session, account_id, now=now))
    with reading() as session:
        if is_far(session):
            raise ServiceUnavailable("The statement is being prepared; try again.", retry_after_s=1)
