"""Typed calls of the wallets' SQL functions (app/services/wallets/sql)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.principal import Principal
from app.services.idempotency_service import Claim
from app.services.wallets.spending_limits import DAILY_LIMITS, MONTHLY_LIMITS
from app.unit_of_work import call


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment to be made. usd_minor: its amount in US cents. metadata: JSON text."""

    payment_id: uuid.UUID
    entry_id: uuid.UUID
    destination: str
    amount_minor: int
    usd_minor: int
    currency: str
    description: str | None
    metadata: str | None


# A session of another user than the token's is none: NULL, which the function finds no session by.
_PAY: Final = (
    "wallet_pay(%s, (SELECT id FROM sessions WHERE id = %s::uuid AND user_id = %s::uuid), %s::uuid, %s, %s, %s, %s::text[], %s::uuid[], %s::uuid[], %s::text[], %s::bigint[], "
    "%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s)"
)


def pay(
    actor: Principal, source: str, payments: Sequence[Payment], claim: Claim, *, answer: str, now: datetime
) -> tuple[str, str]:
    """Make all payments from the wallet `source` in one transaction: (outcome, answer), as sql/wallet_pay.sql says."""
    outcome, stored = call(
        _PAY,
        now,
        str(actor.session_id),
        str(actor.user_id),
        str(claim.scope),
        claim.fingerprint,
        answer,
        source,
        [payment.currency for payment in payments],
        _uuids(payment.payment_id for payment in payments),
        _uuids(payment.entry_id for payment in payments),
        [payment.destination for payment in payments],
        [payment.amount_minor for payment in payments],
        [payment.usd_minor for payment in payments],
        [payment.description for payment in payments],
        [payment.metadata for payment in payments],
        DAILY_LIMITS,
        MONTHLY_LIMITS,
        actor.address,
    )
    return outcome, stored


def complete_payments(cursor: Any, payments: Sequence[uuid.UUID], *, now: datetime) -> None:
    """Complete those of the payments that are pending, in the cursor's transaction."""
    cursor.execute("SELECT wallet_payments_complete(%s, %s::uuid[])", (now, _uuids(payments)))


def _uuids(values: Iterable[uuid.UUID]) -> list[str]:
    return [str(value) for value in values]
