"""Decides what the outcome of a refund changes, whoever reports it, with the guarantees of payments/outcomes.py.

External refunds (external.py) and returned refunds are posted here too.
"""

from __future__ import annotations

import uuid
from typing import assert_never

import structlog

from app.events.catalogue import EventType
from app.events.payloads import payment_payload
from app.models.job import JobKind
from app.models.payment import PaymentStatus, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.principal import actor_text
from app.providers.base import FailureCode, ProviderResult, State
from app.providers.errors import OutcomeUnknown, ProviderError
from app.services.payments import postings, reviews
from app.services.payments.failures import MAX_TEXT, Failure, failure_of
from app.services.payments.rows import PaymentWrites
from app.services.payments.states import OPEN_REFUNDS, move_payment, move_refund
from app.services.provider_operations import Outcome

log = structlog.get_logger("payments")


def decide(writes: PaymentWrites, refund_id: uuid.UUID, outcome: Outcome) -> None:
    """What an outcome changes; a late or repeated one changes nothing."""
    refund = writes.rows.refund(refund_id)
    was_open = refund.state in OPEN_REFUNDS
    if isinstance(outcome, OutcomeUnknown):
        _unknown(writes, refund, outcome)
    elif isinstance(outcome, ProviderError):
        _failed(writes, refund, outcome)
    else:
        _answered(writes, refund, outcome)
    if was_open and refund.state not in OPEN_REFUNDS:
        writes.end_job(JobKind.REFUND_FOLLOW_UP, refund.id)


def _unknown(writes: PaymentWrites, refund: Refund, error: OutcomeUnknown) -> None:
    if refund.state == RefundState.SENDING and move_refund(refund, RefundState.UNKNOWN, now=writes.now):
        refund.error_code, refund.error_message = error.code, error.message[:MAX_TEXT]
        record(writes, EventType.REFUND_PROCESSING, refund)


def _answered(writes: PaymentWrites, refund: Refund, result: ProviderResult) -> None:
    refund.provider_reference = refund.provider_reference or result.provider_reference
    match result.state:
        case State.SUCCEEDED if _is_other_amount(refund, result):
            # Another amount than requested is not posted; the requested amount stays held until an operator decides.
            reviews.open_review(writes, ReviewReason.REFUND_AMOUNT_MISMATCH)
            move_refund(refund, RefundState.PENDING, now=writes.now)
        case State.SUCCEEDED | State.REVERSED:
            _completed(writes, refund)
        case State.PENDING | State.IN_TRANSIT:
            if move_refund(refund, RefundState.PENDING, now=writes.now):
                record(writes, EventType.REFUND_PROCESSING, refund)
        case State.FAILED | State.CANCELLED:
            _failed(writes, refund, result)
        case State.NOT_FOUND | State.REFUNDED:
            # Not an end: the request may be on its way, or the answer is about the payment. Its age decides.
            log.info("refund.not_found", refund=str(refund.id), source=actor_text(writes.actor))
        case _:
            assert_never(result.state)


def _is_other_amount(refund: Refund, result: ProviderResult) -> bool:
    given = result.amount
    return given is not None and given != Money(refund.amount, refund.currency)


def record(writes: PaymentWrites, event_type: EventType, refund: Refund) -> None:
    payment = writes.rows.payment
    writes.record(event_type, payment_payload(payment, refund))
    log.info(event_type, payment=str(payment.id), refund=str(refund.id), state=refund.state)


def record_external_refund(writes: PaymentWrites, refund: Refund) -> None:
    """Post an external refund: its row is new, and `completed` already."""
    postings.post_external_refund(writes, refund, writes.rows.attempt(refund.attempt_id))
    if not refund.is_from_suspense:
        writes.rows.payment.refund_reserved += refund.amount
    _count(writes, refund)


def mark_returned(writes: PaymentWrites, refund: Refund) -> bool:
    """A completed refund was returned: it did not reach the customer. False: it is not completed, or the payment was reversed
    meanwhile, so that an operator must decide whose the money is."""
    payment, now = writes.rows.payment, writes.now
    if (
        refund.state != RefundState.COMPLETED
        or payment.status == PaymentStatus.REVERSED
        or not move_refund(refund, RefundState.FAILED, now=now)
    ):
        return False
    refund.error_code, refund.error_message = "refund_returned", "The refund did not reach the customer."
    _explain(refund, Failure(FailureCode.RETURNED))
    postings.post_returned_refund(writes, refund, writes.rows.attempt(refund.attempt_id))
    if refund.is_from_suspense:
        reviews.open_review(writes, ReviewReason.LATE_SUCCESS)
    else:
        payment.refunded -= refund.amount
        payment.refund_reserved -= refund.amount
        is_some = bool(payment.refunded)
        move_payment(
            payment, PaymentStatus.PARTIALLY_REFUNDED if is_some else PaymentStatus.COMPLETED, now=now
        )
    payment.updated_at = now
    record(writes, EventType.REFUND_FAILED, refund)
    return True


def _completed(writes: PaymentWrites, refund: Refund) -> None:
    if not move_refund(refund, RefundState.COMPLETED, now=writes.now):
        return
    refund.completed_at = writes.now
    refund.error_code = refund.error_message = None
    postings.post_refund(writes, refund, writes.rows.attempt(refund.attempt_id))
    _count(writes, refund)


def _count(writes: PaymentWrites, refund: Refund) -> None:
    """What a completed refund changes on its payment."""
    payment = writes.rows.payment
    _close_reviews(writes, refund)
    if not refund.is_from_suspense:
        payment.refunded += refund.amount
        is_all = payment.refunded == payment.amount
        move_payment(
            payment,
            PaymentStatus.REFUNDED if is_all else PaymentStatus.PARTIALLY_REFUNDED,
            now=writes.now,
        )
        payment.updated_at = writes.now
    record(writes, EventType.REFUND_COMPLETED, refund)


def _failed(writes: PaymentWrites, refund: Refund, outcome: ProviderResult | ProviderError) -> None:
    payment = writes.rows.payment
    if refund.state == RefundState.COMPLETED or not move_refund(refund, RefundState.FAILED, now=writes.now):
        return  # a late refusal; only mark_returned ends a completed refund
    refund.error_code = outcome.code
    refund.error_message = (outcome.message or "The refund failed.")[:MAX_TEXT]
    provider = writes.rows.attempt(refund.attempt_id).provider
    _explain(refund, failure_of(provider, outcome, is_refund=True))
    postings.release_refund(writes, refund)
    _close_reviews(writes, refund)
    if not refund.is_from_suspense:
        payment.refund_reserved -= refund.amount
    payment.updated_at = writes.now
    record(writes, EventType.REFUND_FAILED, refund)


def _explain(refund: Refund, failure: Failure) -> None:
    refund.failure_code, refund.failure_reason = failure.code, failure.refund_reason
    refund.provider_failure = failure.provider


def _close_reviews(writes: PaymentWrites, refund: Refund) -> None:
    """A final refund settles the reviews about it. One from suspense that failed leaves the money in suspense."""
    payment = writes.rows.payment
    reviews.close_reviews(writes, reviews.SETTLED_BY_REFUND)
    if refund.state == RefundState.COMPLETED and payment.refunded + refund.amount == payment.amount:
        reviews.close_reviews(writes, {ReviewReason.REVERSED_AFTER_REFUND})
    if refund.is_from_suspense:
        reviews.close_reviews(writes, reviews.UNMATCHED_MONEY)
        if refund.state == RefundState.FAILED:
            reviews.open_review(writes, ReviewReason.LATE_SUCCESS)
