"""Applies the outcome of an attempt, whoever reports it: the answer, an inquiry, a callback or an operator.

Guarantees: an outcome changes a payment at most once, however often and in whatever order outcomes are reported; money is
posted in the transaction that changes the state; no payment is `failed` on a guess; collected money is never dropped.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final, assert_never

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.events.catalogue import EventType
from app.models.payment import AttemptState, PaymentAttempt, PaymentStatus, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.principal import EventActor, actor_text
from app.providers.base import ProviderResult, State
from app.providers.errors import OutcomeUnknown, ProviderError, WrongEnvironment
from app.services.payments import postings
from app.services.payments.locks import LockedAttempt, lock_attempt
from app.services.payments.recording import record_payment_event
from app.services.payments.reviews import SETTLED_BY_ANSWER, UNMATCHED_MONEY, close_reviews, open_review
from app.services.payments.states import LIVE_ATTEMPTS, OPEN_ATTEMPTS, REFUNDABLE, move_attempt, move_payment
from app.services.provider_operations import Outcome

log = structlog.get_logger("payments")

MAX_TEXT: Final = 500


def apply_outcome(
    session: Session, attempt_id: uuid.UUID, outcome: Outcome, *, source: EventActor, now: datetime
) -> LockedAttempt:
    """Apply an outcome. `source`: answer, inquiry, callback, statement or operator (the events' actor).

    An outcome that the state tables do not allow is late or repeated and changes nothing.
    """
    locked = lock_attempt(session, attempt_id)
    if isinstance(outcome, OutcomeUnknown):
        _unknown(session, locked, outcome, source=source, now=now)
    elif isinstance(outcome, ProviderError):
        _refused(session, locked, outcome, source=source, now=now)
    elif _belongs_to_another_attempt(session, locked.attempt, outcome):
        open_review(session, locked.payment, ReviewReason.REFERENCE_IN_USE, source=source, now=now)
    else:
        _keep_references(locked, outcome, now=now)
        match outcome.state:
            case State.SUCCEEDED:
                _succeeded(session, locked, outcome, source=source, now=now)
            case State.PENDING:
                _pending(session, locked, source=source, now=now)
            case State.FAILED | State.CANCELLED:
                _failed(session, locked, outcome, source=source, now=now)
            case State.REVERSED:
                _reversed(session, locked, source=source, now=now)
            case State.REFUNDED:
                _refunded(session, locked, source=source, now=now)
            case State.NOT_FOUND:
                # Not a failure: the request may be on its way. The attempt's age decides (follow_up.py).
                log.info("payment.not_found", attempt=str(attempt_id), source=actor_text(source))
            case _:
                assert_never(outcome.state)
    return locked


def is_reference_taken(
    session: Session, attempt: PaymentAttempt, *, reference: str | None = None, receipt: str | None = None
) -> bool:
    """Whether the provider's id, or its receipt, is another attempt's: one charge pays one payment."""
    others = select(PaymentAttempt.id).where(
        PaymentAttempt.provider == attempt.provider,
        PaymentAttempt.id != attempt.id,
        PaymentAttempt.account_id.is_not_distinct_from(attempt.account_id),
    )
    ways = ((PaymentAttempt.provider_reference, reference), (PaymentAttempt.receipt, receipt))
    return any(
        session.scalars(others.where(column == value).limit(1)).first() is not None
        for column, value in ways
        if value is not None
    )


def keep_receipt(session: Session, attempt_id: uuid.UUID, receipt: str) -> bool:
    """Keep the receipt of a collected attempt that has none. False: it has one, or this one is another attempt's."""
    attempt = lock_attempt(session, attempt_id).attempt
    if attempt.receipt is not None or is_reference_taken(session, attempt, receipt=receipt):
        return False
    attempt.receipt = receipt
    return True


def _belongs_to_another_attempt(session: Session, attempt: PaymentAttempt, result: ProviderResult) -> bool:
    """Only references that would be new on this attempt are looked up."""
    reference = result.provider_reference if attempt.provider_reference is None else None
    receipt = result.receipt if attempt.receipt is None else None
    return is_reference_taken(session, attempt, reference=reference, receipt=receipt)


def expire_attempt(
    session: Session, locked: LockedAttempt, *, code: str, reason: str, source: EventActor, now: datetime
) -> None:
    """The attempt's time is over and the provider has answered that nothing was paid."""
    result = ProviderResult(State.FAILED, code=code, message=reason)
    _failed(session, locked, result, source=source, now=now)


def reverse(session: Session, locked: LockedAttempt, *, source: EventActor, now: datetime) -> bool:
    """The provider reversed what is left of the collected money. False: there is none, and nothing changed."""
    payment, attempt = locked.payment, locked.attempt
    if (waiting := postings.unmatched_amount(session, attempt)) is not None:
        _reversed_in_suspense(session, locked, waiting, source=source, now=now)
        return True
    # A late attempt's money was never the payment's: another attempt collected that.
    is_the_payments = attempt.state == AttemptState.SUCCEEDED and payment.status in REFUNDABLE
    if not is_the_payments or not move_attempt(attempt, AttemptState.REVERSED, now=now):
        return False
    postings.post_reversal(session, payment, attempt, now=now)
    move_payment(payment, PaymentStatus.REVERSED, now=now)
    record_payment_event(session, EventType.PAYMENT_REVERSED, payment, source=source, now=now)
    return True


def close_returned(session: Session, locked: LockedAttempt, *, source: EventActor, now: datetime) -> None:
    """All that was collected is refunded: where it was another amount than requested, the payment fails."""
    payment = locked.payment
    if locked.attempt.state == AttemptState.SUCCEEDED and move_payment(
        payment, PaymentStatus.FAILED, now=now
    ):
        payment.failure_code = "returned"
        payment.failure_reason = "Another amount was collected; it is refunded."
        record_payment_event(session, EventType.PAYMENT_FAILED, payment, source=source, now=now)


def _keep_references(locked: LockedAttempt, result: ProviderResult, *, now: datetime) -> None:
    """Keep the provider's ids and response; a known id is never replaced."""
    attempt, payment = locked.attempt, locked.payment
    attempt.provider_reference = attempt.provider_reference or result.provider_reference
    attempt.receipt = attempt.receipt or result.receipt
    is_live = attempt.state in LIVE_ATTEMPTS
    if is_live and attempt.provider_reference != payment.provider_transaction_id:
        payment.provider_transaction_id = attempt.provider_reference
        payment.updated_at = now
    if is_live and result.payment_url and payment.status in (PaymentStatus.PENDING, PaymentStatus.PROCESSING):
        payment.payment_url = result.payment_url
    if is_live and result.response:
        payment.provider_response = dict(payment.provider_response or {}) | dict(result.response)


def _succeeded(
    session: Session, locked: LockedAttempt, result: ProviderResult, *, source: EventActor, now: datetime
) -> None:
    payment, attempt = locked.payment, locked.attempt
    if attempt.state == AttemptState.LATE:
        return  # posted when it was collected; only an operator decides that it is the tenant's
    asked = Money(payment.amount, payment.currency)
    collected = result.amount or asked
    if move_attempt(attempt, AttemptState.LATE, now=now):
        attempt.collected_money = collected
        postings.post_suspense(session, payment, attempt, collected, now=now)
        open_review(session, payment, ReviewReason.LATE_SUCCESS, source=source, now=now)
        return
    if not move_attempt(attempt, AttemptState.SUCCEEDED, now=now):
        return
    attempt.collected_money = collected
    attempt.error_code = attempt.error_message = None
    if collected != asked:
        postings.post_suspense(session, payment, attempt, collected, now=now)
        move_payment(payment, PaymentStatus.PROCESSING, now=now)
        open_review(session, payment, ReviewReason.AMOUNT_MISMATCH, source=source, now=now)
        return
    payment.fee = postings.post_collected(session, payment, attempt, now=now)
    move_payment(payment, PaymentStatus.COMPLETED, now=now)
    payment.completed_at = now
    close_reviews(payment, SETTLED_BY_ANSWER, source=source, now=now)
    record_payment_event(session, EventType.PAYMENT_COMPLETED, payment, source=source, now=now)


def _pending(session: Session, locked: LockedAttempt, *, source: EventActor, now: datetime) -> None:
    if not move_attempt(locked.attempt, AttemptState.PENDING, now=now):
        return
    close_reviews(locked.payment, SETTLED_BY_ANSWER, source=source, now=now)
    _processing(session, locked, source=source, now=now)


def _unknown(
    session: Session, locked: LockedAttempt, error: OutcomeUnknown, *, source: EventActor, now: datetime
) -> None:
    attempt = locked.attempt
    if attempt.state == AttemptState.SENDING and move_attempt(attempt, AttemptState.UNKNOWN, now=now):
        attempt.error_code, attempt.error_message = error.code, error.message[:MAX_TEXT]
        _processing(session, locked, source=source, now=now)
    if isinstance(error, WrongEnvironment) and attempt.state in OPEN_ATTEMPTS:
        open_review(session, locked.payment, ReviewReason.WRONG_ENVIRONMENT, source=source, now=now)


def _processing(session: Session, locked: LockedAttempt, *, source: EventActor, now: datetime) -> None:
    if move_payment(locked.payment, PaymentStatus.PROCESSING, now=now):
        record_payment_event(session, EventType.PAYMENT_PROCESSING, locked.payment, source=source, now=now)


def _refused(
    session: Session, locked: LockedAttempt, error: ProviderError, *, source: EventActor, now: datetime
) -> None:
    """A definite refusal of a sending. A refusal of an inquiry says nothing about the charge: callers do not pass it.

    A refusal of the second sending says nothing about the first, whose answer was lost.
    """
    if locked.attempt.sendings > 1:
        unknown = OutcomeUnknown(error.message, code=error.code)
        _unknown(session, locked, unknown, source=source, now=now)
        return
    result = ProviderResult(State.FAILED, code=error.code, message=error.message, response=error.response)
    _keep_references(locked, result, now=now)
    _failed(session, locked, result, source=source, now=now)


def _failed(
    session: Session, locked: LockedAttempt, result: ProviderResult, *, source: EventActor, now: datetime
) -> None:
    payment, attempt = locked.payment, locked.attempt
    is_cancelled = result.state is State.CANCELLED
    if not move_attempt(attempt, AttemptState.CANCELLED if is_cancelled else AttemptState.FAILED, now=now):
        return
    attempt.error_code = result.code
    attempt.error_message = (result.message or "")[:MAX_TEXT] or None
    if move_payment(payment, PaymentStatus.CANCELLED if is_cancelled else PaymentStatus.FAILED, now=now):
        payment.failure_code = attempt.error_code
        payment.failure_reason = attempt.error_message
        close_reviews(payment, SETTLED_BY_ANSWER, source=source, now=now)
        event_type = EventType.PAYMENT_CANCELLED if is_cancelled else EventType.PAYMENT_FAILED
        record_payment_event(session, event_type, payment, source=source, now=now)


def _reversed(session: Session, locked: LockedAttempt, *, source: EventActor, now: datetime) -> None:
    """The provider reversed the charge."""
    payment, attempt = locked.payment, locked.attempt
    if attempt.state in (AttemptState.SENDING, AttemptState.UNKNOWN, AttemptState.PENDING):
        # Collected and reversed before either was reported: there is nothing to post.
        result = ProviderResult(State.FAILED, code="reversed", message="The payment was reversed.")
        _failed(session, locked, result, source=source, now=now)
    elif attempt.state == AttemptState.SUCCEEDED and payment.refund_reserved:
        _reversed_after_refund(session, locked, source=source, now=now)
    elif reverse(session, locked, source=source, now=now):
        # The review was opened while a refund was open, which has failed since: all of it is posted now.
        close_reviews(payment, {ReviewReason.REVERSED_AFTER_REFUND}, source=source, now=now)


def _reversed_in_suspense(
    session: Session, locked: LockedAttempt, waiting: Money, *, source: EventActor, now: datetime
) -> None:
    payment, attempt = locked.payment, locked.attempt
    was_mismatch = attempt.state == AttemptState.SUCCEEDED
    if not move_attempt(attempt, AttemptState.REVERSED, now=now):
        return
    postings.post_suspense_reversal(session, payment, attempt, waiting, now=now)
    close_reviews(payment, UNMATCHED_MONEY, source=source, now=now)
    if was_mismatch and move_payment(payment, PaymentStatus.FAILED, now=now):
        payment.failure_code, payment.failure_reason = "reversed", "The provider reversed the payment."
    record_payment_event(session, EventType.PAYMENT_REVERSED, payment, source=source, now=now)


def _reversed_after_refund(
    session: Session, locked: LockedAttempt, *, source: EventActor, now: datetime
) -> None:
    """After refunds of ours: when they are all of the money, the reversal is those refunds; else an operator compares."""
    if locked.payment.refunded != locked.payment.amount:
        open_review(session, locked.payment, ReviewReason.REVERSED_AFTER_REFUND, source=source, now=now)


def _refunded(session: Session, locked: LockedAttempt, *, source: EventActor, now: datetime) -> None:
    """Money was refunded, and the provider does not report how much. A refund of ours explains it; else an operator compares,
    also for an open payment: what was not refunded is still collected."""
    ours = (
        select(Refund.id)
        .where(Refund.attempt_id == locked.attempt.id, Refund.state != RefundState.FAILED)
        .limit(1)
    )
    may_be_collected = locked.attempt.state in (*LIVE_ATTEMPTS, AttemptState.LATE)
    if may_be_collected and session.scalars(ours).first() is None:
        open_review(session, locked.payment, ReviewReason.REFUNDED_AT_PROVIDER, source=source, now=now)
