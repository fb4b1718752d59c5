"""Callbacks that contradict the provider's own answers about whether an attempt was paid.

Guarantees: while they contradict each other neither ends the attempt. The callback's claim is kept in the attempt, with its receipt,
under the review `contradicting_answers`, until an answer agrees with it, a later callback agrees with the answer, or an operator
decides. Only callbacks that are vouched for are kept (callbacks/process.py).
"""

from __future__ import annotations

from typing import Final

from app.models.payment import PaymentAttempt
from app.models.payment_review import ReviewReason
from app.providers.base import State
from app.services.payments.reviews import open_review
from app.services.payments.rows import PaymentWrites
from app.services.payments.states import OPEN_ATTEMPTS, UNPAID_ATTEMPTS

REPORTED_PAID: Final = "reported_paid"
REPORTED_UNPAID: Final = "reported_unpaid"
"""The attempt's error code while a claim is kept."""

CONTRADICTION: Final = "A callback reports {}, and the provider answers {}."

_UNPAID: Final = (State.FAILED, State.CANCELLED)


def contradict(reported: State, answered: State) -> bool:
    """Whether one says that it was paid, and the other that it was not and will not be."""
    return State.SUCCEEDED in (reported, answered) and (reported in _UNPAID or answered in _UNPAID)


def keep_claim(writes: PaymentWrites, attempt: PaymentAttempt, *, reported: State, answered: State) -> None:
    """A callback reports what the provider's answer contradicts, or has not confirmed. A payment that has ended stays as it is,
    under review."""
    is_paid = reported is State.SUCCEEDED
    if attempt.state in OPEN_ATTEMPTS:
        attempt.error_code = REPORTED_PAID if is_paid else REPORTED_UNPAID
        attempt.error_message = CONTRADICTION.format(reported, answered)
        attempt.updated_at = writes.now
    elif not (is_paid and attempt.state in UNPAID_ATTEMPTS):
        return
    open_review(writes, ReviewReason.CONTRADICTING_ANSWERS)


def is_contested(attempt: PaymentAttempt, answered: State) -> bool:
    """Whether the answer is contradicted by a callback that was kept."""
    if attempt.state not in OPEN_ATTEMPTS:
        return False
    if attempt.error_code == REPORTED_PAID:
        return answered in _UNPAID
    return attempt.error_code == REPORTED_UNPAID and answered is State.SUCCEEDED


def has_claim(attempt: PaymentAttempt) -> bool:
    """Whether the attempt is open, and a callback about it was kept."""
    return attempt.state in OPEN_ATTEMPTS and attempt.error_code in (REPORTED_PAID, REPORTED_UNPAID)


def forget_claim(attempt: PaymentAttempt) -> None:
    """It is decided: by an operator, or by a later callback that agrees with the answer."""
    if has_claim(attempt):
        attempt.error_code = attempt.error_message = None
