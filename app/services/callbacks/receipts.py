"""Receipts that only a callback contains (process.py): M-Pesa's query names none, and its refunds need one.

Guarantees: a receipt is kept only from a callback that is vouched for, never replaced, and never taken from another attempt.
"""

from __future__ import annotations

import uuid

from app.providers.base import ProviderResult, State
from app.services.payments import claims, outcomes
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import OPEN_ATTEMPTS, UNPAID_ATTEMPTS
from app.services.write_sets import store


def trusted_receipt(reported: ProviderResult | None, *, is_vouched: bool) -> str | None:
    """A receipt that only a callback contains, when it is vouched for. It names what the provider collected, whatever amount the
    callback shows beside it: without it that could never be refunded."""
    if reported is None or not is_vouched or reported.state is not State.SUCCEEDED:
        return None
    return reported.receipt


def keep_claim(
    rows: PaymentRows, attempt_id: uuid.UUID, reported: ProviderResult, *, answered: State = State.PENDING
) -> None:
    """Keep what a callback that is vouched for reports against the provider's answer, with its receipt."""

    def decide(writes: PaymentWrites) -> None:
        attempt = writes.rows.attempt(attempt_id)
        receipt = trusted_receipt(reported, is_vouched=True)
        if receipt is not None and attempt.state in (*OPEN_ATTEMPTS, *UNPAID_ATTEMPTS):
            outcomes.keep_receipt(writes, attempt, receipt)
        claims.keep_claim(writes, attempt, reported=reported.state, answered=answered)

    store.change(rows, decide, actor="callback")


def keep_receipt(
    rows: PaymentRows, attempt_id: uuid.UUID, reported: ProviderResult | None, *, is_vouched: bool
) -> None:
    receipt = trusted_receipt(reported, is_vouched=is_vouched)
    if receipt is not None:
        store.change(
            rows,
            lambda writes: outcomes.keep_receipt(writes, writes.rows.attempt(attempt_id), receipt),
            actor="callback",
        )
