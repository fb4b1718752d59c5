"""What a provider said is applied here, whoever brings it: the answer, an inquiry, a callback or an operator.

Guarantees: one result changes a payment at most once, however often and in whatever order results come; money is booked
in the transaction that changes the state; nothing becomes `failed` on a guess; what was collected is never dropped.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.events.catalogue import EventType
from app.models.payment import AttemptState, PaymentAttempt, PaymentStatus, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import Result, State
from app.providers.errors import OutcomeUnknown, ProviderError, WrongEnvironment
from app.services.payments import postings
from app.services.payments.locks import LockedAttempt, lock_attempt
from app.services.payments.recording import record_payment_event
from app.services.payments.reviews import SETTLED_BY_ANSWER, UNMATCHED_MONEY, close_reviews, open_review
from app.services.payments.states import OPEN_ATTEMPTS, REFUNDABLE, move_attempt, move_payment
from app.services.provider_operations import Outcome

log = structlog.get_logger("payments")

"""What a call to a provider led to."""

MAX_TEXT: Final = 500


def apply_outcome(
    session: Session, attempt_id: uuid.UUID, outcome: Outcome, *, source: str, now: datetime
) -> LockedAttempt:
    """Apply what was learnt about an attempt. `source`: answer, inquiry, callback, statement or operator (events' actor).

    A result that the state tables do not allow is late or repeated and changes nothing.
    """
    locked = lock_attempt(session, attempt_id)
    if isinstance(outcome, OutcomeUnknown):
        _unknown(session, locked, outcome, source=source, now=now)
    elif isinstance(outcome, ProviderError):
        _refused(session, locked, outcome, source=source, now=now)
    elif _belongs_to_another_attempt(session, locked.attempt, outcome):
        open_review(session, locked.payment, ReviewReason.REFERENCE_IN_USE, source=source, now=now)
    else:
        _remember(locked, outcome, now=now)
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
                _given_back(session, locked, source=source, now=now)
            case State.NOT_FOUND:
                # Not a failure: the request may be on its way. Time decides (payment_driver).
                log.info("payment.not_found", attempt=str(attempt_id), source=source)
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


def _belongs_to_another_attempt(session: Session, attempt: PaymentAttempt, result: Result) -> bool:
    """Only what would be new on this attempt is looked up."""
    reference = result.provider_reference if attempt.provider_reference is None else None
    receipt = result.receipt if attempt.receipt is None else None
    return is_reference_taken(session, attempt, reference=reference, receipt=receipt)


def expire_attempt(
    session: Session, locked: LockedAttempt, *, code: str, reason: str, source: str, now: datetime
) -> None:
    """The attempt's time is over and the provider says that nothing was paid."""
    result = Result(State.FAILED, code=code, message=reason)
    _failed(session, locked, result, source=source, now=now)


def reverse(session: Session, locked: LockedAttempt, *, source: str, now: datetime) -> bool:
    """The provider took back what is left of the collected money. False: there is none, and nothing changed."""
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


def close_returned(session: Session, locked: LockedAttempt, *, source: str, now: datetime) -> None:
    """All that came goes back to the customer: where it was another amount than asked for, the payment ends with it."""
    payment = locked.payment
    if locked.attempt.state == AttemptState.SUCCEEDED and move_payment(
        payment, PaymentStatus.FAILED, now=now
    ):
        payment.failure_code = "returned"
        payment.failure_reason = "What came was another amount; it goes back."
        record_payment_event(session, EventType.PAYMENT_FAILED, payment, source=source, now=now)


def _remember(locked: LockedAttempt, result: Result, *, now: datetime) -> None:
    """Ids and the provider's own words; what is known is never replaced by nothing."""
    attempt, payment = locked.attempt, locked.payment
    attempt.provider_reference = attempt.provider_reference or result.provider_reference
    attempt.receipt = attempt.receipt or result.receipt
    is_open = attempt.state not in (
        AttemptState.FAILED,
        AttemptState.CANCELLED,
        AttemptState.LATE,
        AttemptState.REVERSED,
    )
    if is_open and attempt.provider_reference != payment.provider_transaction_id:
        payment.provider_transaction_id = attempt.provider_reference
        payment.updated_at = now
    if is_open and result.payment_url and payment.status in (PaymentStatus.PENDING, PaymentStatus.PROCESSING):
        payment.payment_url = result.payment_url
    if is_open and result.response:
        payment.provider_response = dict(payment.provider_response or {}) | dict(result.response)


def _succeeded(
    session: Session, locked: LockedAttempt, result: Result, *, source: str, now: datetime
) -> None:
    payment, attempt = locked.payment, locked.attempt
    if attempt.state == AttemptState.LATE:
        return  # booked when it came; that it is the tenant's after all is an operator's word, not the provider's
    asked = Money(payment.amount, payment.currency)
    collected = result.amount or asked
    if move_attempt(attempt, AttemptState.LATE, now=now):
        attempt.collected = collected.amount_minor
        postings.post_suspense(session, payment, attempt, collected, now=now)
        open_review(session, payment, ReviewReason.LATE_SUCCESS, source=source, now=now)
        return
    if not move_attempt(attempt, AttemptState.SUCCEEDED, now=now):
        return
    attempt.collected = collected.amount_minor
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


def _pending(session: Session, locked: LockedAttempt, *, source: str, now: datetime) -> None:
    if not move_attempt(locked.attempt, AttemptState.PENDING, now=now):
        return
    close_reviews(locked.payment, SETTLED_BY_ANSWER, source=source, now=now)
    _processing(session, locked, source=source, now=now)


def _unknown(
    session: Session, locked: LockedAttempt, error: OutcomeUnknown, *, source: str, now: datetime
) -> None:
    attempt = locked.attempt
    if attempt.state == AttemptState.SENDING and move_attempt(attempt, AttemptState.UNKNOWN, now=now):
        attempt.error_code, attempt.error_message = error.code, error.message[:MAX_TEXT]
        _processing(session, locked, source=source, now=now)
    if isinstance(error, WrongEnvironment) and attempt.state in OPEN_ATTEMPTS:
        open_review(session, locked.payment, ReviewReason.WRONG_ENVIRONMENT, source=source, now=now)


def _processing(session: Session, locked: LockedAttempt, *, source: str, now: datetime) -> None:
    if move_payment(locked.payment, PaymentStatus.PROCESSING, now=now):
        record_payment_event(session, EventType.PAYMENT_PROCESSING, locked.payment, source=source, now=now)


def _refused(
    session: Session, locked: LockedAttempt, error: ProviderError, *, source: str, now: datetime
) -> None:
    """A definite no to a sending. (A refusal of an inquiry says nothing about the charge: callers do not bring it.)

    A no to the second sending of a key says nothing about the first, whose answer was lost.
    """
    if locked.attempt.sendings > 1:
        unknown = OutcomeUnknown(error.message, code=error.code)
        _unknown(session, locked, unknown, source=source, now=now)
        return
    result = Result(State.FAILED, code=error.code, message=error.message, response=error.response)
    _remember(locked, result, now=now)
    _failed(session, locked, result, source=source, now=now)


def _failed(session: Session, locked: LockedAttempt, result: Result, *, source: str, now: datetime) -> None:
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


def _reversed(session: Session, locked: LockedAttempt, *, source: str, now: datetime) -> None:
    """The provider took collected money back."""
    payment, attempt = locked.payment, locked.attempt
    if attempt.state in (AttemptState.SENDING, AttemptState.UNKNOWN, AttemptState.PENDING):
        # Paid and taken back before we heard of either: nothing is ours.
        result = Result(State.FAILED, code="reversed", message="The payment was taken back.")
        _failed(session, locked, result, source=source, now=now)
    elif attempt.state == AttemptState.SUCCEEDED and payment.refund_reserved:
        _reversed_after_refund(session, locked, source=source, now=now)
    elif reverse(session, locked, source=source, now=now):
        # Shown while a refund was open, which has failed since: now all of it is booked.
        close_reviews(payment, {ReviewReason.REVERSED_AFTER_REFUND}, source=source, now=now)


def _reversed_in_suspense(
    session: Session, locked: LockedAttempt, waiting: Money, *, source: str, now: datetime
) -> None:
    payment, attempt = locked.payment, locked.attempt
    was_mismatch = attempt.state == AttemptState.SUCCEEDED
    if not move_attempt(attempt, AttemptState.REVERSED, now=now):
        return
    postings.post_suspense_reversal(session, payment, attempt, waiting, now=now)
    close_reviews(payment, UNMATCHED_MONEY, source=source, now=now)
    if was_mismatch and move_payment(payment, PaymentStatus.FAILED, now=now):
        payment.failure_code, payment.failure_reason = "reversed", "The provider took the payment back."
    record_payment_event(session, EventType.PAYMENT_REVERSED, payment, source=source, now=now)


def _reversed_after_refund(session: Session, locked: LockedAttempt, *, source: str, now: datetime) -> None:
    """After refunds of ours: where they are all of the money it only repeats what they say; else a person looks."""
    if locked.payment.refunded != locked.payment.amount:
        open_review(session, locked.payment, ReviewReason.REVERSED_AFTER_REFUND, source=source, now=now)


def _given_back(session: Session, locked: LockedAttempt, *, source: str, now: datetime) -> None:
    """Money went back, and the provider does not say how much. A refund of ours explains it; else a person looks, also at
    a payment we had not heard the end of: what was not given back is still there."""
    ours = (
        select(Refund.id)
        .where(Refund.attempt_id == locked.attempt.id, Refund.state != RefundState.FAILED)
        .limit(1)
    )
    is_there = locked.attempt.state in (*OPEN_ATTEMPTS, AttemptState.SUCCEEDED, AttemptState.LATE)
    if is_there and session.scalars(ours).first() is None:
        open_review(session, locked.payment, ReviewReason.REFUNDED_AT_PROVIDER, source=source, now=now)
