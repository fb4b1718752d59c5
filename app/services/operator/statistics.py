"""Numbers about payments, for operators. Days are UTC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import clock, ids
from app.models.job import Job, JobState
from app.models.payment import Payment, PaymentAttempt, PaymentStatus, Refund
from app.models.payment_review import PaymentReview
from app.models.provider_event import ProviderEvent, ProviderEventState
from app.money import Money
from app.services.payments.states import OPEN_ATTEMPTS, OPEN_REFUNDS
from app.unit_of_work import reading

COLLECTED: Final = frozenset(
    {PaymentStatus.COMPLETED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED}
)
"""Statuses of payments that were collected, whatever was refunded since."""


@dataclass(frozen=True, slots=True)
class CurrencyTotals:
    """Of one currency: what was collected, refunded and kept as fees."""

    collected: Money
    refunded: Money
    fees: Money


@dataclass(frozen=True, slots=True)
class Statistics:
    """Payments made in the last `days`; and all that is open, dead or under review now, whatever its age."""

    days: int
    total: int
    by_status: Mapping[str, int]
    by_provider: Mapping[str, int]
    by_day: Mapping[str, int]
    totals: Mapping[str, CurrencyTotals]
    open_attempts: Mapping[str, int]
    open_refunds: Mapping[str, int]
    reviews: Mapping[str, int]
    dead_jobs: Mapping[str, int]
    dead_events: int


def overview(*, days: int) -> Statistics:
    """The numbers of the last `days` and of now."""
    since = ids.first_of(clock.now() - timedelta(days=days))
    with reading() as session:
        groups = _groups(session, Payment.id >= since)
        dead_events = select(func.count()).where(ProviderEvent.state == ProviderEventState.DEAD)
        return Statistics(
            days=days,
            total=sum(group.count for group in groups),
            by_status=_sums(groups, "status"),
            by_provider=_sums(groups, "provider"),
            by_day=_sums(groups, "day"),
            totals=_totals(groups),
            open_attempts=_counts(session, PaymentAttempt.state, PaymentAttempt.state.in_(OPEN_ATTEMPTS)),
            open_refunds=_counts(session, Refund.state, Refund.state.in_(OPEN_REFUNDS)),
            reviews=_counts(session, PaymentReview.reason, PaymentReview.closed_at.is_(None)),
            dead_jobs=_counts(session, Job.kind, Job.state == JobState.DEAD),
            dead_events=session.scalar(dead_events) or 0,
        )


def _groups(session: Session, is_recent: ColumnElement[bool]) -> Any:
    """Payments by status, provider, currency and day. Ids are in order of time: the days are a part of the primary key."""
    day = func.to_char(func.timezone("UTC", Payment.created_at), "YYYY-MM-DD").label("day")
    columns = (Payment.status, Payment.provider, Payment.currency, day)
    sums = (
        func.count().label("count"),
        func.sum(Payment.amount).label("amount"),
        func.sum(Payment.refunded).label("refunded"),
        func.coalesce(func.sum(Payment.fee), 0).label("fees"),
    )
    return session.execute(select(*columns, *sums).where(is_recent).group_by(*columns)).all()


def _counts(
    session: Session, column: InstrumentedAttribute[Any], condition: ColumnElement[bool]
) -> dict[str, int]:
    rows = session.execute(select(column, func.count()).where(condition).group_by(column))
    return {str(word): int(count) for word, count in rows}


def _sums(groups: Any, name: str) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for group in groups:
        sums[str(getattr(group, name))] += group.count
    return dict(sorted(sums.items()))


def _totals(groups: Any) -> dict[str, CurrencyTotals]:
    sums: dict[str, Counter[str]] = {}
    for group in groups:
        if group.status in COLLECTED:
            found = sums.setdefault(group.currency, Counter())
            for name in ("amount", "refunded", "fees"):
                found[name] += int(getattr(group, name))
    return {
        currency: CurrencyTotals(*(Money(found[name], currency) for name in ("amount", "refunded", "fees")))
        for currency, found in sorted(sums.items())
    }
