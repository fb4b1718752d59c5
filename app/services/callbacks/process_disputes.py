"""Callbacks about disputes (process.py): the provider is queried about the dispute, and its answer is applied."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from app import clock
from app.models.payment import PaymentAttempt
from app.models.payment_review import ReviewReason
from app.models.provider_event import ProviderEvent
from app.providers.base import CallbackEvent, Kind
from app.providers.errors import ProviderError
from app.services.callbacks import process_refunds, stored
from app.services.payments import dispute_follow_up
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import rows as payment_rows
from app.services.payments.rows import PaymentRows
from app.services.payments.states import OPEN_ATTEMPTS
from app.services.provider_access import accounts as provider_accounts

EARLY_WAITS_S: Final = (3, 30, 300, 3600, 21_600)
"""A dispute may be reported before its payment's receipt is known: it is looked for again after each of these, in seconds."""


def look_again(event: ProviderEvent, parsed: CallbackEvent) -> datetime | None:
    """When to look again what a callback is about that matches nothing yet. None: no more, or it is no signed one of a dispute."""
    is_dispute = parsed.kind is Kind.DISPUTE and parsed.is_verified and not parsed.objection
    if not is_dispute or event.confirmations >= len(EARLY_WAITS_S):
        return None
    stored.count_confirmation(event.id)
    return clock.now() + timedelta(seconds=EARLY_WAITS_S[event.confirmations])


def process_dispute(parsed: CallbackEvent, rows: PaymentRows, attempt: PaymentAttempt) -> bool:
    """Whether the dispute of a vouched callback is now as the provider reports it. Raises ProviderError: it could not be
    queried, and an operator is to look, as where the provider cannot be queried at all.
    """
    provider = provider_accounts.of_attempt(attempt)
    if parsed.dispute is None or Kind.DISPUTE not in provider.capabilities.inquiry_kinds:
        return process_refunds.open_review(rows, ReviewReason.DISPUTE)
    if attempt.state in OPEN_ATTEMPTS:
        # Paid and disputed before the payment's own callback was processed.
        payment_follow_up.poll(attempt.id)
        rows = payment_rows.read(rows.payment.id)
        attempt = rows.attempt(attempt.id)
    try:
        dispute_follow_up.refresh(rows, attempt, parsed.dispute, source="callback")
    except ProviderError:
        # Queried again by this job's retries; an operator knows of it meanwhile.
        process_refunds.open_review(rows, ReviewReason.DISPUTE)
        raise
    return attempt.state not in OPEN_ATTEMPTS
