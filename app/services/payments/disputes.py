"""Decides what a dispute changes, whoever reports it: a callback, or the provider's answer to a query.

Guarantees: a repeated, late or overtaken report changes nothing (states.py); the disputed money is held once, and taken or
released once; the loss of a dispute is never refused, since the provider has the money already.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Final, assert_never

import structlog

from app import ids
from app.errors import NotRefundable
from app.events.catalogue import EventType
from app.events.payloads import dispute_payload
from app.models.dispute import Dispute, DisputeState
from app.models.job import JobKind
from app.models.payment import AttemptState, PaymentAttempt, PaymentStatus
from app.models.payment_review import ReviewReason
from app.providers.disputes import ReportedDispute
from app.services.payments import postings, reviews
from app.services.payments.recording import record_payment_event
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import OPEN_DISPUTES, REFUNDABLE, move_dispute
from app.services.write_sets.rows import new_row

EVERY: Final = timedelta(days=1)
"""The provider is queried this often about a dispute that has not ended: its callback may be lost."""

_TENANTS: Final = REFUNDABLE | {PaymentStatus.REFUNDED}
"""Statuses of a payment whose money was the tenant's. Of any other, an operator decides."""

_EVENTS: Final = {
    DisputeState.INQUIRY: EventType.DISPUTE_UPDATED,
    DisputeState.OPEN: EventType.DISPUTE_UPDATED,
    DisputeState.WON: EventType.DISPUTE_WON,
    DisputeState.LOST: EventType.DISPUTE_LOST,
    DisputeState.CLOSED: EventType.DISPUTE_CLOSED,
}

log = structlog.get_logger("payments")


def require_refundable(rows: PaymentRows) -> None:
    """Raises NotRefundable: the customer has the money by a dispute, or may get it."""
    if rows.has_dispute(DisputeState.OPEN):
        raise NotRefundable("The customer's bank disputes the payment: wait until the dispute is decided.")
    if rows.has_dispute(DisputeState.LOST):
        raise NotRefundable("The customer has the money already: a dispute of the payment was lost.")


def decide(writes: PaymentWrites, attempt_id: uuid.UUID, reported: ReportedDispute) -> None:
    """What a report changes. Where the money is not the tenant's, or in another currency, a review is opened."""
    rows = writes.rows
    attempt = rows.attempt(attempt_id)
    known = [one for one in rows.disputes if one.provider_reference == reported.provider_reference]
    if not _can_be_posted(rows, attempt, reported, is_known=bool(known)):
        reviews.open_review(writes, ReviewReason.DISPUTE)
        return
    dispute = known[0] if known else _insert(writes, attempt, reported)
    before, state = dispute.state, DisputeState(reported.status)
    if state != before and not move_dispute(dispute, state, now=writes.now):
        _overtaken(writes, dispute, state)
        return
    if state == before and known and reported.provider_status == dispute.provider_status:
        return
    dispute.provider_status, dispute.reason = reported.provider_status, reported.reason
    dispute.updated_at = rows.payment.updated_at = writes.now
    if before != DisputeState.LOST:  # what was taken is what is returned
        dispute.amount = reported.amount.amount_minor
    if state != before:
        _move_money(writes, dispute, attempt, before)
    _follow(writes, dispute)
    if not known:
        _record(writes, dispute, EventType.DISPUTE_OPENED)
    if known or state not in OPEN_DISPUTES:
        _record(writes, dispute, _EVENTS[state])


def _can_be_posted(
    rows: PaymentRows, attempt: PaymentAttempt, reported: ReportedDispute, *, is_known: bool
) -> bool:
    amount = reported.amount
    return (
        attempt.state == AttemptState.SUCCEEDED
        and (is_known or rows.payment.status in _TENANTS)
        and amount.currency == rows.payment.currency
        and amount.amount_minor > 0
    )


def _insert(writes: PaymentWrites, attempt: PaymentAttempt, reported: ReportedDispute) -> Dispute:
    payment = writes.rows.payment
    dispute = new_row(
        Dispute,
        id=ids.uuid7(),
        payment_id=payment.id,
        attempt_id=attempt.id,
        tenant_id=payment.tenant_id,
        provider=attempt.provider,
        account_id=attempt.account_id,
        provider_reference=reported.provider_reference,
        amount=reported.amount.amount_minor,
        currency=reported.amount.currency,
        reason=reported.reason,
        provider_status=reported.provider_status,
        state=DisputeState.INQUIRY,
        held=0,
        owed=0,
        opened_at=writes.now,
        updated_at=writes.now,
    )
    writes.rows.disputes.append(dispute)
    return dispute


def _overtaken(writes: PaymentWrites, dispute: Dispute, state: DisputeState) -> None:
    """An older report than the one that was applied; but a dispute that was won and is lost after all is for an operator."""
    log.info("dispute.overtaken", dispute=str(dispute.id), state=dispute.state, reported=state)
    if state == DisputeState.LOST:
        reviews.open_review(writes, ReviewReason.DISPUTE)


def _move_money(
    writes: PaymentWrites, dispute: Dispute, attempt: PaymentAttempt, before: DisputeState
) -> None:
    match dispute.state:
        case DisputeState.INQUIRY:
            return
        case DisputeState.OPEN:
            dispute.held = postings.hold_dispute(writes, dispute, attempt)
        case DisputeState.LOST:
            dispute.owed = postings.post_dispute(writes, dispute, attempt)
            dispute.held = 0
        case DisputeState.WON | DisputeState.CLOSED:
            if before == DisputeState.LOST:
                postings.post_dispute_return(writes, dispute, attempt)
                dispute.owed = 0
            elif dispute.held:
                writes.release(dispute.id)
                dispute.held = 0
        case _:
            assert_never(dispute.state)


def _follow(writes: PaymentWrites, dispute: Dispute) -> None:
    """An operator answers what is open, and the provider is queried until it has ended."""
    if dispute.state in OPEN_DISPUTES:
        reviews.open_review(writes, ReviewReason.DISPUTE)
        writes.add_job(JobKind.DISPUTE_FOLLOW_UP, dispute.id, run_at=writes.now + EVERY)
        return
    writes.end_job(JobKind.DISPUTE_FOLLOW_UP, dispute.id)
    if not writes.rows.has_dispute(*OPEN_DISPUTES):
        reviews.close_reviews(writes, {ReviewReason.DISPUTE})


def _record(writes: PaymentWrites, dispute: Dispute, event_type: EventType) -> None:
    record_payment_event(writes, event_type, {"dispute": dispute_payload(dispute)})
