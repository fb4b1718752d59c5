"""Outcomes applied as callbacks, inquiries and operators apply them. Inside an application context."""

from __future__ import annotations

import uuid

from app.models.payment import Payment
from app.services.payments import outcomes as payment_outcomes
from app.services.payments import rows as payment_rows
from app.services.provider_operations import Outcome
from app.services.refunds import outcomes as refund_outcomes
from app.services.write_sets import store


def apply_to_attempt(attempt_id: uuid.UUID, outcome: Outcome, *, source: str) -> Payment:
    """The payment as it is then."""
    return store.change(
        payment_rows.read(attempt_id=attempt_id),
        lambda writes: payment_outcomes.decide(writes, writes.rows.attempt(attempt_id), outcome),
        actor=source,
    ).rows.payment


def apply_to_refund(refund_id: uuid.UUID, outcome: Outcome, *, source: str) -> None:
    store.change(
        payment_rows.read(refund_id=refund_id),
        lambda writes: refund_outcomes.decide(writes, refund_id, outcome),
        actor=source,
    )
