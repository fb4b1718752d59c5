"""Decides what the outcome of a payout changes, whoever reports it, with the guarantees of payments/outcomes.py.

A withdrawal is paid once or its hold is released, never both: only a definite "no" releases it, and each move is made by the
state table.
"""

from __future__ import annotations

from typing import Final, assert_never

import structlog

from app.events.catalogue import EventType
from app.models.job import JobKind
from app.models.withdrawal import Payout, PayoutState, WithdrawalReviewReason, WithdrawalState
from app.money import Money
from app.principal import actor_text
from app.providers.base import FailureCode, ProviderResult, State
from app.providers.errors import OutcomeUnknown, ProviderError, WrongEnvironment
from app.services.payments.failures import MAX_TEXT
from app.services.payouts import failures, postings
from app.services.provider_operations import Outcome
from app.services.withdrawals.recording import record
from app.services.withdrawals.reviews import close_reviews, open_review
from app.services.withdrawals.rows import WithdrawalWrites
from app.services.withdrawals.states import OPEN_PAYOUTS, move_payout, move_withdrawal

log = structlog.get_logger("payouts")

RETURNED: Final = "payout_returned"
"""The error code of a payout that was completed and came back."""

SETTLED_BY_END: Final = frozenset(WithdrawalReviewReason) - {WithdrawalReviewReason.ALTERED}
"""Reviews that a final payout closes."""


def decide(writes: WithdrawalWrites, payout: Payout, outcome: Outcome) -> None:
    """What an outcome changes; a late or repeated one changes nothing."""
    was_open = payout.state in OPEN_PAYOUTS
    if isinstance(outcome, OutcomeUnknown):
        _unknown(writes, payout, outcome)
    elif isinstance(outcome, ProviderError):
        _failed(writes, payout, outcome)
    else:
        _answered(writes, payout, outcome)
    if was_open and payout.state not in OPEN_PAYOUTS:
        writes.end_job(JobKind.PAYOUT_FOLLOW_UP, payout.id)


def mark_returned(writes: WithdrawalWrites, payout: Payout) -> bool:
    """A completed payout was returned: the destination did not get it. False: it is not completed."""
    now = writes.now
    if payout.state != PayoutState.COMPLETED or not move_payout(payout, PayoutState.FAILED, now=now):
        return False
    payout.error_code, payout.error_message = RETURNED, "The payout did not reach the destination."
    postings.post_return(writes, payout)
    _end(writes, WithdrawalState.FAILED, FailureCode.RETURNED)
    return True


def record_paid(writes: WithdrawalWrites, payout: Payout) -> bool:
    """An operator has seen that a payout which had failed was made. False: it has not failed, or was returned."""
    if payout.state != PayoutState.FAILED or payout.error_code == RETURNED:
        return False
    move_payout(payout, PayoutState.COMPLETED, now=writes.now)
    payout.completed_at = writes.now
    postings.post_late(writes, payout)
    withdrawal = writes.rows.withdrawal
    withdrawal.failure_code = withdrawal.failure_reason = None
    _end(writes, WithdrawalState.COMPLETED)
    return True


def _unknown(writes: WithdrawalWrites, payout: Payout, error: OutcomeUnknown) -> None:
    if isinstance(error, WrongEnvironment):
        open_review(writes, WithdrawalReviewReason.WRONG_ENVIRONMENT)
    if payout.state == PayoutState.SENDING and move_payout(payout, PayoutState.UNKNOWN, now=writes.now):
        payout.error_code, payout.error_message = error.code, error.message[:MAX_TEXT]


def _answered(writes: WithdrawalWrites, payout: Payout, result: ProviderResult) -> None:
    _keep_words(payout, result)
    match result.state:
        case State.SUCCEEDED if payout.state == PayoutState.FAILED:
            if payout.error_code != RETURNED:
                open_review(writes, WithdrawalReviewReason.PAID_AFTER_FAILURE)
        case State.SUCCEEDED if _is_other_amount(payout, result):
            open_review(writes, WithdrawalReviewReason.PAYOUT_AMOUNT_MISMATCH)
            move_payout(payout, PayoutState.PENDING, now=writes.now)
        case State.SUCCEEDED:
            _completed(writes, payout)
        case State.PENDING if payout.state == PayoutState.UNKNOWN and result.provider_reference is None:
            pass  # a query was accepted, and its answer will come by callback: nothing is known of the payout
        case State.PENDING | State.IN_TRANSIT:
            move_payout(payout, PayoutState.PENDING, now=writes.now)
        case State.FAILED | State.CANCELLED | State.REVERSED:
            _failed(writes, payout, result)
        case State.NOT_FOUND | State.REFUNDED:
            # Not an end: the request may be on its way. Its age decides.
            log.info("payout.not_found", payout=str(payout.id), source=actor_text(writes.actor))
        case _:
            assert_never(result.state)


def _keep_words(payout: Payout, result: ProviderResult) -> None:
    """What the provider calls the payout, and what it answered, whatever that means for the payout's state."""
    payout.provider_reference = payout.provider_reference or result.provider_reference
    if result.state is State.SUCCEEDED:
        payout.receipt = payout.receipt or result.receipt
    if result.response:
        payout.provider_response = {**(payout.provider_response or {}), **result.response}


def _is_other_amount(payout: Payout, result: ProviderResult) -> bool:
    return result.amount is not None and result.amount != Money(payout.amount, payout.currency)


def _completed(writes: WithdrawalWrites, payout: Payout) -> None:
    if not move_payout(payout, PayoutState.COMPLETED, now=writes.now):
        return
    payout.completed_at = writes.now
    payout.error_code = payout.error_message = None
    postings.post(writes, payout)
    _end(writes, WithdrawalState.COMPLETED)


def _failed(writes: WithdrawalWrites, payout: Payout, outcome: ProviderResult | ProviderError) -> None:
    if payout.state == PayoutState.COMPLETED or not move_payout(payout, PayoutState.FAILED, now=writes.now):
        return  # a late refusal; only mark_returned ends a completed payout
    payout.error_code = outcome.code
    payout.error_message = (outcome.message or "The payout failed.")[:MAX_TEXT]
    postings.release(writes)
    _end(writes, WithdrawalState.FAILED, failures.failure_code(payout.provider, outcome))


def _end(writes: WithdrawalWrites, status: WithdrawalState, failure: FailureCode | None = None) -> None:
    withdrawal = writes.rows.withdrawal
    if not move_withdrawal(withdrawal, status, now=writes.now):
        raise RuntimeError(f"a withdrawal that is {withdrawal.status} cannot become {status}")
    if failure is None:
        withdrawal.completed_at = writes.now
    else:
        withdrawal.failure_code, withdrawal.failure_reason = failure, failures.reason(failure)
    close_reviews(writes, SETTLED_BY_END)
    is_completed = status == WithdrawalState.COMPLETED
    record(writes, EventType.WITHDRAWAL_COMPLETED if is_completed else EventType.WITHDRAWAL_FAILED)
