"""Queries the provider about a dispute, and applies its answer: after a callback, and daily until it has ended."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select

from app import clock
from app.models.dispute import Dispute
from app.models.payment import PaymentAttempt
from app.principal import EventActor
from app.services.payments import disputes
from app.services.payments import rows as payment_rows
from app.services.payments.attempts import charge_reference
from app.services.payments.rows import PaymentRows
from app.services.payments.states import OPEN_DISPUTES
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.services.write_sets import store
from app.unit_of_work import reading


def refresh(
    rows: PaymentRows, attempt: PaymentAttempt, provider_reference: str, *, source: EventActor
) -> PaymentRows:
    """Query the provider now, and apply the answer; the rows as they are then. Raises ProviderError: nothing changed."""
    provider = provider_accounts.of_attempt(attempt)
    reported = provider.inquire_dispute(charge_reference(rows.payment, attempt, provider), provider_reference)
    return store.change(rows, lambda writes: disputes.decide(writes, attempt.id, reported), actor=source).rows


def follow_up(dispute_id: uuid.UUID) -> datetime | None:
    """One query; returns when the next is due, None when the dispute has ended. Safe to run at any time."""
    with reading() as session:
        payment_id = session.scalars(select(Dispute.payment_id).where(Dispute.id == dispute_id)).one()
    rows = payment_rows.read(payment_id)
    dispute = rows.dispute(dispute_id)
    if dispute.state not in OPEN_DISPUTES:
        return None
    now = clock.now()
    with bulkhead.slot(dispute.provider) as has_slot:
        if not has_slot:
            return bulkhead.retry_at(now, since=dispute.opened_at)
        rows = refresh(rows, rows.attempt(dispute.attempt_id), dispute.provider_reference, source="inquiry")
    return now + disputes.EVERY if rows.dispute(dispute_id).state in OPEN_DISPUTES else None
