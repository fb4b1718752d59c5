"""Decides what the outcome of an attempt changes, whoever reports it: the answer, an inquiry, a callback or an operator.

Guarantees: an outcome changes a payment at most once, however often and in whatever order outcomes are reported; money is
posted in the write set that changes the state; no payment is `failed` on a guess; collected money is never dropped.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Final, assert_never

import structlog

from app.events.catalogue import EventType
from app.models.dispute import DisputeState
from app.models.job import JobKind
from app.models.payment import AttemptState, Payment, PaymentAttempt, PaymentStatus, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.principal import actor_text
from app.providers.base import FailureCode, ProviderResult, State
from app.providers.errors import OutcomeUnknown, ProviderError, UnconfirmedFailure, WrongEnvironment
from app.services.payments import claims, postings
from app.services.payments.failures import MAX_TEXT, Failure, failure_of
from app.services.payments.recording import record_completed, record_payment_event
from app.services.payments.reviews import SETTLED_BY_ANSWER, UNMATCHED_MONEY, close_reviews, open_review
from app.services.payments.rows import PaymentWrites
from app.services.payments.states import LIVE_ATTEMPTS, OPEN_ATTEMPTS, REFUNDABLE, move_attempt, move_payment
from app.services.provider_operations import Outcome

log = structlog.get_logger("payments")

CONFIRMED_AFTER: Final = timedelta(minutes=1)
"""Between two answers with the same code that no table has, of which the second one counts."""

UNCONFIRMED: Final = "Not confirmed yet: "
"""Begins the error message of an attempt whose first such answer has come."""


def decide(writes: PaymentWrites, attempt: PaymentAttempt, outcome: Outcome) -> None:
    """What an outcome changes. The write set's actor says who reports it: answer, inquiry, callback, statement or operator.

    An outcome that the state tables do not allow is late or repeated and changes nothing.
    """
    was_open = attempt.state in OPEN_ATTEMPTS
    if isinstance(outcome, OutcomeUnknown):
        _unknown(writes, attempt, outcome)
    elif isinstance(outcome, ProviderError):
        _refused(writes, attempt, outcome)
    elif _belongs_to_another_attempt(writes, attempt, outcome):
        open_review(writes, ReviewReason.REFERENCE_IN_USE)
    elif claims.is_contested(attempt, outcome.state):
        _keep_references(writes, attempt, outcome)
    else:
        _answered(writes, attempt, outcome)
    if was_open and attempt.state not in OPEN_ATTEMPTS:
        writes.end_job(JobKind.PAYMENT_FOLLOW_UP, attempt.id)


def _answered(writes: PaymentWrites, attempt: PaymentAttempt, result: ProviderResult) -> None:
    _keep_references(writes, attempt, result)
    match result.state:
        case State.SUCCEEDED:
            _succeeded(writes, attempt, result)
        case State.PENDING | State.IN_TRANSIT:
            _pending(writes, attempt, result)
        case State.FAILED | State.CANCELLED:
            _failed(writes, attempt, result)
        case State.REVERSED:
            _reversed(writes, attempt)
        case State.REFUNDED:
            _refunded(writes, attempt)
        case State.NOT_FOUND:
            # Not a failure: the request may be on its way. The attempt's age decides (follow_up.py).
            log.info("payment.not_found", attempt=str(attempt.id), source=actor_text(writes.actor))
        case _:
            assert_never(result.state)


def keep_receipt(writes: PaymentWrites, attempt: PaymentAttempt, receipt: str) -> bool:
    """Keep the receipt of a collected attempt that has none. False: it has one, or this one is another attempt's."""
    if attempt.receipt is not None or writes.is_reference_taken:
        return False
    attempt.receipt = receipt
    return True


def _belongs_to_another_attempt(
    writes: PaymentWrites, attempt: PaymentAttempt, result: ProviderResult
) -> bool:
    """Whether the provider's id, or its receipt, is another attempt's: one charge pays one payment. The database says so when
    one of them would be new on this attempt."""
    is_new = (attempt.provider_reference is None and result.provider_reference is not None) or (
        attempt.receipt is None and result.receipt is not None
    )
    return is_new and writes.is_reference_taken


def expire_attempt(
    writes: PaymentWrites, attempt: PaymentAttempt, failure: FailureCode, *, reason: str
) -> None:
    """The attempt's time is over and the provider has answered that nothing was paid. reason: for operators."""
    decide(writes, attempt, ProviderResult(State.FAILED, code=failure, message=reason, failure=failure))


def reverse(writes: PaymentWrites, attempt: PaymentAttempt) -> bool:
    """The provider reversed what is left of the collected money. False: there is none, and nothing changed."""
    payment = writes.rows.payment
    if (waiting := postings.unmatched_amount(writes.rows, attempt)) is not None:
        _reversed_in_suspense(writes, attempt, waiting)
        return True
    if writes.rows.has_dispute(DisputeState.OPEN, DisputeState.LOST):
        return False  # what the provider has taken is posted by the dispute (disputes.py)
    # A late attempt's money was never the payment's: another attempt collected that.
    is_the_payments = attempt.state == AttemptState.SUCCEEDED and payment.status in REFUNDABLE
    if not is_the_payments or not move_attempt(attempt, AttemptState.REVERSED, now=writes.now):
        return False
    postings.post_reversal(writes, attempt)
    move_payment(payment, PaymentStatus.REVERSED, now=writes.now)
    record_payment_event(writes, EventType.PAYMENT_REVERSED)
    return True


def close_returned(writes: PaymentWrites, attempt: PaymentAttempt) -> None:
    """All that was collected is refunded: where it was another amount than requested, the payment fails."""
    payment = writes.rows.payment
    if attempt.state == AttemptState.SUCCEEDED and move_payment(
        payment, PaymentStatus.FAILED, now=writes.now
    ):
        _explain(payment, Failure(FailureCode.RETURNED))
        record_payment_event(writes, EventType.PAYMENT_FAILED)


def _keep_references(writes: PaymentWrites, attempt: PaymentAttempt, result: ProviderResult) -> None:
    """Keep the provider's ids and response; a known id is never replaced."""
    payment = writes.rows.payment
    attempt.provider_reference = attempt.provider_reference or result.provider_reference
    attempt.receipt = attempt.receipt or result.receipt
    is_live = attempt.state in LIVE_ATTEMPTS
    if is_live and attempt.provider_reference != payment.provider_transaction_id:
        payment.provider_transaction_id = attempt.provider_reference
        payment.updated_at = writes.now
    if is_live and result.payment_url and payment.status in (PaymentStatus.PENDING, PaymentStatus.PROCESSING):
        payment.payment_url = result.payment_url
    if is_live and result.response:
        payment.provider_response = dict(payment.provider_response or {}) | dict(result.response)


def _succeeded(writes: PaymentWrites, attempt: PaymentAttempt, result: ProviderResult) -> None:
    payment, now = writes.rows.payment, writes.now
    if attempt.state == AttemptState.LATE:
        return  # posted when it was collected; only an operator decides that it is the tenant's
    asked = Money(payment.amount, payment.currency)
    collected = result.amount or asked
    if move_attempt(attempt, AttemptState.LATE, now=now):
        attempt.collected_money = collected
        postings.post_suspense(writes, attempt, collected)
        close_reviews(writes, {ReviewReason.CONTRADICTING_ANSWERS})
        open_review(writes, ReviewReason.LATE_SUCCESS)
        settle_order(writes, attempt.id)
        return
    if not move_attempt(attempt, AttemptState.SUCCEEDED, now=now):
        return
    attempt.collected_money = collected
    attempt.error_code = attempt.error_message = None
    if collected != asked:
        postings.post_suspense(writes, attempt, collected)
        move_payment(payment, PaymentStatus.PROCESSING, now=now)
        open_review(writes, ReviewReason.AMOUNT_MISMATCH)
        return
    payment.fee = postings.post_collected(writes, attempt)
    move_payment(payment, PaymentStatus.COMPLETED, now=now)
    payment.completed_at = now
    close_reviews(writes, SETTLED_BY_ANSWER)
    settle_order(writes, payment.id)
    record_completed(writes)


def settle_order(writes: PaymentWrites, cause: uuid.UUID) -> None:
    """A payment of an order was completed, or collected late: money that was collected twice is refunded (orders/settle.py).

    cause: the completed payment's id, or the late attempt's. Each happens once, so that no job of another cause, which may
    have looked already, stands for this one.
    """
    if writes.rows.payment.order_id is not None:
        writes.add_job(JobKind.ORDER_SETTLE, cause, run_at=writes.now)


def _pending(writes: PaymentWrites, attempt: PaymentAttempt, result: ProviderResult) -> None:
    if move_attempt(attempt, AttemptState.PENDING, now=writes.now):
        close_reviews(writes, SETTLED_BY_ANSWER)
        mark_processing(writes)
    if (attempt.error_message or "").startswith(UNCONFIRMED):
        attempt.error_code = attempt.error_message = None
    if result.has_failed_try and attempt.state == AttemptState.PENDING and not claims.has_claim(attempt):
        _failed_try(writes, attempt, result)


def _failed_try(writes: PaymentWrites, attempt: PaymentAttempt, result: ProviderResult) -> None:
    """Recorded once: the provider answers so until the next try."""
    answered = (result.code, (result.message or "")[:MAX_TEXT] or None)
    if answered == (attempt.error_code, attempt.error_message):
        return
    attempt.error_code, attempt.error_message = answered
    attempt.updated_at = writes.rows.payment.updated_at = writes.now
    failure = failure_of(attempt.provider, result)
    facts = {"code": failure.code, "message": failure.payment_reason}
    record_payment_event(writes, EventType.PAYMENT_TRY_FAILED, {"try": facts})


def _unknown(writes: PaymentWrites, attempt: PaymentAttempt, error: OutcomeUnknown) -> None:
    if isinstance(error, UnconfirmedFailure):
        _unconfirmed_failure(writes, attempt, error)
        return
    if attempt.state == AttemptState.SENDING and move_attempt(attempt, AttemptState.UNKNOWN, now=writes.now):
        attempt.error_code, attempt.error_message = error.code, error.message[:MAX_TEXT]
        mark_processing(writes)
    if isinstance(error, WrongEnvironment) and attempt.state in OPEN_ATTEMPTS:
        open_review(writes, ReviewReason.WRONG_ENVIRONMENT)


def _unconfirmed_failure(writes: PaymentWrites, attempt: PaymentAttempt, error: UnconfirmedFailure) -> None:
    """It is final when an earlier answer, at least CONFIRMED_AFTER ago, was the same."""
    if attempt.state not in OPEN_ATTEMPTS or claims.has_claim(attempt):
        return
    seen = (error.code, f"{UNCONFIRMED}{error.message}"[:MAX_TEXT])
    if seen != (attempt.error_code, attempt.error_message):
        attempt.error_code, attempt.error_message = seen
        attempt.updated_at = writes.now
    elif writes.now - attempt.updated_at >= CONFIRMED_AFTER:
        _keep_references(writes, attempt, error.as_failure())
        _failed(writes, attempt, error.as_failure())


def mark_processing(writes: PaymentWrites) -> None:
    """The provider has the payment, or may have it."""
    if move_payment(writes.rows.payment, PaymentStatus.PROCESSING, now=writes.now):
        record_payment_event(writes, EventType.PAYMENT_PROCESSING)


def _refused(writes: PaymentWrites, attempt: PaymentAttempt, error: ProviderError) -> None:
    """A definite refusal of a sending. A refusal of an inquiry says nothing about the charge: callers do not pass it.

    A refusal of the second sending says nothing about the first, whose answer was lost.
    """
    if attempt.sendings > 1:
        _unknown(writes, attempt, OutcomeUnknown(error.message, code=error.code))
        return
    _keep_references(writes, attempt, ProviderResult(State.FAILED, response=error.response))
    _failed(writes, attempt, error)


def _failed(writes: PaymentWrites, attempt: PaymentAttempt, result: ProviderResult | ProviderError) -> None:
    payment, now = writes.rows.payment, writes.now
    is_cancelled = isinstance(result, ProviderResult) and result.state is State.CANCELLED
    if not move_attempt(attempt, AttemptState.CANCELLED if is_cancelled else AttemptState.FAILED, now=now):
        return
    attempt.error_code = result.code
    attempt.error_message = (result.message or "")[:MAX_TEXT] or None
    if move_payment(payment, PaymentStatus.CANCELLED if is_cancelled else PaymentStatus.FAILED, now=now):
        _explain(payment, failure_of(attempt.provider, result))
        close_reviews(writes, SETTLED_BY_ANSWER)
        event_type = EventType.PAYMENT_CANCELLED if is_cancelled else EventType.PAYMENT_FAILED
        record_payment_event(writes, event_type)


def _explain(payment: Payment, failure: Failure) -> None:
    payment.failure_code, payment.failure_reason = failure.code, failure.payment_reason
    payment.provider_failure = failure.provider


def _reversed(writes: PaymentWrites, attempt: PaymentAttempt) -> None:
    """The provider reversed the charge."""
    payment = writes.rows.payment
    if attempt.state in (AttemptState.SENDING, AttemptState.UNKNOWN, AttemptState.PENDING):
        # Collected and reversed before either was reported: there is nothing to post.
        reversed_ = FailureCode.REVERSED
        message = "The payment was reversed."
        _failed(
            writes,
            attempt,
            ProviderResult(State.FAILED, code=reversed_, message=message, failure=reversed_),
        )
    elif attempt.state == AttemptState.SUCCEEDED and payment.refund_reserved:
        _reversed_after_refund(writes)
    elif reverse(writes, attempt):
        # The review was opened while a refund was open, which has failed since: all of it is posted now.
        close_reviews(writes, {ReviewReason.REVERSED_AFTER_REFUND})


def _reversed_in_suspense(writes: PaymentWrites, attempt: PaymentAttempt, waiting: Money) -> None:
    payment = writes.rows.payment
    was_mismatch = attempt.state == AttemptState.SUCCEEDED
    if not move_attempt(attempt, AttemptState.REVERSED, now=writes.now):
        return
    postings.post_suspense_reversal(writes, attempt, waiting)
    close_reviews(writes, UNMATCHED_MONEY)
    if was_mismatch and move_payment(payment, PaymentStatus.FAILED, now=writes.now):
        _explain(payment, Failure(FailureCode.REVERSED))
    record_payment_event(writes, EventType.PAYMENT_REVERSED)


def _reversed_after_refund(writes: PaymentWrites) -> None:
    """After refunds of ours: when they are all of the money, the reversal is those refunds; else an operator compares."""
    if writes.rows.payment.refunded != writes.rows.payment.amount:
        open_review(writes, ReviewReason.REVERSED_AFTER_REFUND)


def _refunded(writes: PaymentWrites, attempt: PaymentAttempt) -> None:
    """Money was refunded, and the provider does not report how much. A refund of ours explains it; else an operator compares,
    also for an open payment: what was not refunded is still collected."""
    is_ours = any(refund.state != RefundState.FAILED for refund in writes.rows.refunds_of(attempt))
    may_be_collected = attempt.state in (*LIVE_ATTEMPTS, AttemptState.LATE)
    if may_be_collected and not is_ours:
        open_review(writes, ReviewReason.REFUNDED_AT_PROVIDER)
