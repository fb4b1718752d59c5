"""The house in numbers, for operators. Days are UTC; amounts are decimal strings per currency."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock, ids
from app.money import format_minor
from app.unit_of_work import reading

_COLLECTED: Final = frozenset({"completed", "partially_refunded", "refunded"})
"""Statuses of payments whose money came, whatever was given back since."""

# Ids are in order of time, so a part of the primary key is the days asked for.
_PAYMENTS: Final = text(
    "SELECT status, provider, currency, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*) AS count,"
    " sum(amount) AS amount, sum(refunded) AS refunded, coalesce(sum(fee), 0) AS fees "
    "FROM payments WHERE id >= :first GROUP BY 1, 2, 3, 4"
)
_ATTEMPTS: Final = text(
    "SELECT state, count(*) FROM payment_attempts WHERE state IN ('created', 'sending', 'unknown', 'pending') GROUP BY 1"
)
_REFUNDS: Final = text(
    "SELECT state, count(*) FROM refunds WHERE state IN ('created', 'sending', 'unknown', 'pending') GROUP BY 1"
)
_REVIEWS: Final = text("SELECT reason, count(*) FROM payment_reviews WHERE closed_at IS NULL GROUP BY 1")
_DEAD_JOBS: Final = text("SELECT kind, count(*) FROM jobs WHERE state = 'dead' GROUP BY 1")
_DEAD_EVENTS: Final = text("SELECT count(*) FROM provider_events WHERE state = 'dead'")


def overview(*, days: int) -> dict[str, Any]:
    """Payments made in the last `days`, and all that is open, dead or needs a person now."""
    since = clock.now() - timedelta(days=days)
    with reading() as session:
        groups = session.execute(_PAYMENTS, {"first": ids.first_of(since)}).all()
        now = {
            "open_attempts": _counts(session, _ATTEMPTS),
            "open_refunds": _counts(session, _REFUNDS),
            "reviews": _counts(session, _REVIEWS),
            "dead_letters": {
                "jobs": _counts(session, _DEAD_JOBS),
                "webhook_events": session.execute(_DEAD_EVENTS).scalar_one(),
            },
        }
    return {"days": days, "payments": _payments(groups), "amounts": _amounts(groups), **now}


def _counts(session: Session, statement: Any) -> dict[str, int]:
    return {str(word): int(count) for word, count in session.execute(statement)}


def _payments(groups: Any) -> dict[str, Any]:
    by: dict[str, defaultdict[str, int]] = {name: defaultdict(int) for name in ("status", "provider", "day")}
    for group in groups:
        for name, counts in by.items():
            counts[getattr(group, name)] += group.count
    total = sum(by["status"].values())
    return {"total": total} | {f"by_{name}": dict(sorted(counts.items())) for name, counts in by.items()}


def _amounts(groups: Any) -> dict[str, dict[str, str]]:
    """Currency → what was collected, given back and kept as fees."""
    sums: defaultdict[str, dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(("collected", "refunded", "fees"), 0)
    )
    for group in groups:
        if group.status in _COLLECTED:
            found = sums[group.currency]
            found["collected"] += int(group.amount)
            found["refunded"] += int(group.refunded)
            found["fees"] += int(group.fees)
    return {
        currency: {name: format_minor(minor, currency) for name, minor in found.items()}
        for currency, found in sorted(sums.items())
    }
