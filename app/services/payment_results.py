"""What a provider said is applied here, whoever brings it: the answer, an inquiry, a callback or an operator.

Guarantees: one result changes a payment at most once, however often and in whatever order results come; money is booked
in the transaction that changes the state; nothing becomes `failed` on a guess; what was collected is never dropped.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.events import catalogue, outbox
from app.models.payment import Payment, PaymentAttempt, Refund
from app.money import Money
from app.providers.base import Result, State
from app.providers.errors import OutcomeUnknown, ProviderError, WrongEnvironment
from app.services import payment_ledger
from app.services.payment_states import ATTEMPT, OPEN_ATTEMPTS, PAYMENT, REFUNDABLE
from app.services.payment_view import event_data

log = structlog.get_logger("payments")

Outcome = Result | ProviderError
"""What a call to a provider led to."""

MAX_TEXT: Final = 500

ABOUT_THE_ANSWER: Final = frozenset(
    {"outcome_unknown", "nothing_to_ask_by", "cannot_be_asked", "wrong_environment"}
)
"""Reasons for a review that a provider's answer settles."""

ABOUT_REFUNDS: Final = frozenset({"refund_unknown", "refund_stuck", "refund_amount_mismatch"})
"""Reasons that a refund's end settles."""

ABOUT_MONEY: Final = frozenset({"late_success", "amount_mismatch", "being_returned"})
"""Reasons that stand while money of the payment waits in suspense; nothing else is shown meanwhile."""

FOR_A_PERSON: Final = frozenset(
    {"dispute", "refunded_at_provider", "refund_came_back", "reversed_after_refund", "reference_taken"}
)
"""Reasons that nothing but a person settles. Those that settle themselves do not take their place: jobs raise them
again as long as they are true."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A payment and one of its attempts, both locked, as they are now."""

    payment: Payment
    attempt: PaymentAttempt


def lock(session: Session, attempt_id: uuid.UUID) -> Locked:
    """Lock payment and attempt, in this order (the house's lock order)."""
    payment_id = session.scalars(
        select(PaymentAttempt.payment_id).where(PaymentAttempt.id == attempt_id)
    ).one()
    payment = lock_payment(session, payment_id)
    attempt = session.scalars(
        select(PaymentAttempt)
        .where(PaymentAttempt.id == attempt_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    return Locked(payment, attempt)


def lock_payment(session: Session, payment_id: uuid.UUID) -> Payment:
    return session.scalars(
        select(Payment)
        .where(Payment.id == payment_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def apply(session: Session, attempt_id: uuid.UUID, outcome: Outcome, *, source: str, now: datetime) -> Locked:
    """Apply what was learnt about an attempt. `source`: answer, inquiry, callback, statement or operator (events' actor).

    A result that the state tables do not allow is late or repeated and changes nothing.
    """
    locked = lock(session, attempt_id)
    if isinstance(outcome, OutcomeUnknown):
        _unknown(session, locked, outcome, source=source, now=now)
    elif isinstance(outcome, ProviderError):
        _refused(session, locked, outcome, source=source, now=now)
    elif _is_anothers(session, locked.attempt, outcome):
        review(session, locked.payment, "reference_taken", source=source, now=now)
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
            case State.GIVEN_BACK:
                _given_back(session, locked, source=source, now=now)
            case State.NOT_FOUND:
                # Not a failure: the request may be on its way. Time decides (payment_driver).
                log.info("payment.not_found", attempt=str(attempt_id), source=source)
    return locked


def is_taken(
    session: Session, attempt: PaymentAttempt, *, reference: str | None = None, receipt: str | None = None
) -> bool:
    """Whether the provider's id, or its receipt, is another attempt's: one charge pays one payment."""
    others = select(PaymentAttempt.id).where(
        PaymentAttempt.provider == attempt.provider, PaymentAttempt.id != attempt.id,
        PaymentAttempt.account_id.is_not_distinct_from(attempt.account_id),
    )  # fmt: skip
    ways = ((PaymentAttempt.provider_reference, reference), (PaymentAttempt.receipt, receipt))
    return any(
        session.scalars(others.where(column == value).limit(1)).first() is not None
        for column, value in ways
        if value is not None
    )


def _is_anothers(session: Session, attempt: PaymentAttempt, result: Result) -> bool:
    """Only what would be new on this attempt is looked up."""
    reference = result.provider_reference if attempt.provider_reference is None else None
    receipt = result.receipt if attempt.receipt is None else None
    return is_taken(session, attempt, reference=reference, receipt=receipt)


def give_up(session: Session, locked: Locked, *, code: str, reason: str, source: str, now: datetime) -> None:
    """The attempt's time is over and the provider says that nothing was paid."""
    result = Result(State.FAILED, code=code, message=reason)
    _failed(session, locked, result, source=source, now=now)


def review(session: Session, payment: Payment, why: str, *, source: str, now: datetime) -> None:
    """Put the payment before a person. The same reason again changes nothing; money in suspense comes first, then what
    only a person settles."""
    is_waiting = payment.review in FOR_A_PERSON and why in ABOUT_THE_ANSWER | ABOUT_REFUNDS
    if payment.review == why or is_waiting or (payment.review in ABOUT_MONEY and why not in ABOUT_MONEY):
        return
    payment.review = why
    payment.updated_at = now
    record(session, catalogue.PAYMENT_REVIEW, payment, source=source, now=now)


def close_review(payment: Payment, reasons: Collection[str], *, now: datetime) -> None:
    """The payment need not be looked at any more for any of these reasons."""
    if payment.review in reasons:
        payment.review = None
        payment.updated_at = now


def take_back(session: Session, locked: Locked, *, source: str, now: datetime) -> bool:
    """The provider took back what is left of the collected money. False: there is none, and nothing changed."""
    payment, attempt = locked.payment, locked.attempt
    if (waiting := payment_ledger.waiting_in_suspense(session, attempt)) is not None:
        _reversed_in_suspense(session, locked, waiting, source=source, now=now)
        return True
    # A late attempt's money was never the payment's: another attempt collected that.
    is_the_payments = attempt.state == "succeeded" and payment.status in REFUNDABLE
    if not is_the_payments or not _to(attempt, "reversed", now=now):
        return False
    payment_ledger.book_reversal(session, payment, attempt, now=now)
    move(payment, "reversed", now=now)
    record(session, catalogue.PAYMENT_REVERSED, payment, source=source, now=now)
    return True


def end_returned(session: Session, locked: Locked, *, source: str, now: datetime) -> None:
    """All that came goes back to the customer: where it was another amount than asked for, the payment ends with it."""
    payment = locked.payment
    if locked.attempt.state == "succeeded" and move(payment, "failed", now=now):
        payment.failure_code = "returned"
        payment.failure_reason = "What came was another amount; it goes back."
        record(session, catalogue.PAYMENT_FAILED, payment, source=source, now=now)


def record(session: Session, event_type: str, payment: Payment, *, source: str, now: datetime) -> None:
    outbox.record(
        session, event_type, object_id=str(payment.id), data=event_data(payment), now=now, actor=source,
        tenant_id=payment.tenant_id,
    )  # fmt: skip
    tell = log.error if event_type == catalogue.PAYMENT_REVIEW else log.info
    tell(
        event_type, payment=str(payment.id), provider=payment.provider, status=payment.status, source=source,
        **({"review": payment.review} if payment.review else {}),
    )  # fmt: skip


def move(payment: Payment, status: str, *, now: datetime) -> bool:
    """Change the status where the table allows it."""
    if status not in PAYMENT[payment.status]:
        return False
    payment.status = status
    payment.updated_at = now
    return True


def _to(attempt: PaymentAttempt, state: str, *, now: datetime) -> bool:
    if state not in ATTEMPT[attempt.state]:
        return False
    attempt.state = state
    attempt.updated_at = now
    return True


def _remember(locked: Locked, result: Result, *, now: datetime) -> None:
    """Ids and the provider's own words; what is known is never replaced by nothing."""
    attempt, payment = locked.attempt, locked.payment
    attempt.provider_reference = attempt.provider_reference or result.provider_reference
    attempt.receipt = attempt.receipt or result.receipt
    is_open = attempt.state not in ("failed", "cancelled", "late", "reversed")
    if is_open and attempt.provider_reference != payment.provider_transaction_id:
        payment.provider_transaction_id = attempt.provider_reference
        payment.updated_at = now
    if is_open and result.payment_url and payment.status in ("pending", "processing"):
        payment.payment_url = result.payment_url
    if is_open and result.response:
        payment.provider_response = dict(payment.provider_response or {}) | dict(result.response)


def _succeeded(session: Session, locked: Locked, result: Result, *, source: str, now: datetime) -> None:
    payment, attempt = locked.payment, locked.attempt
    if attempt.state == "late":
        return  # booked when it came; that it is the tenant's after all is an operator's word, not the provider's
    asked = Money(payment.amount, payment.currency)
    collected = result.amount or asked
    if _to(attempt, "late", now=now):
        attempt.collected = collected.amount_minor
        payment_ledger.book_suspense(session, payment, attempt, collected, now=now)
        review(session, payment, "late_success", source=source, now=now)
        return
    if not _to(attempt, "succeeded", now=now):
        return
    attempt.collected = collected.amount_minor
    attempt.error_code = attempt.error_message = None
    if collected != asked:
        payment_ledger.book_suspense(session, payment, attempt, collected, now=now)
        move(payment, "processing", now=now)
        review(session, payment, "amount_mismatch", source=source, now=now)
        return
    payment.fee = payment_ledger.book_collected(session, payment, attempt, now=now)
    move(payment, "completed", now=now)
    payment.completed_at = now
    close_review(payment, ABOUT_THE_ANSWER, now=now)
    record(session, catalogue.PAYMENT_COMPLETED, payment, source=source, now=now)


def _pending(session: Session, locked: Locked, *, source: str, now: datetime) -> None:
    if not _to(locked.attempt, "pending", now=now):
        return
    close_review(locked.payment, ABOUT_THE_ANSWER, now=now)
    _processing(session, locked, source=source, now=now)


def _unknown(session: Session, locked: Locked, error: OutcomeUnknown, *, source: str, now: datetime) -> None:
    attempt = locked.attempt
    if attempt.state == "sending" and _to(attempt, "unknown", now=now):
        attempt.error_code, attempt.error_message = error.code, error.message[:MAX_TEXT]
        _processing(session, locked, source=source, now=now)
    if isinstance(error, WrongEnvironment) and attempt.state in OPEN_ATTEMPTS:
        review(session, locked.payment, "wrong_environment", source=source, now=now)


def _processing(session: Session, locked: Locked, *, source: str, now: datetime) -> None:
    if move(locked.payment, "processing", now=now):
        record(session, catalogue.PAYMENT_PROCESSING, locked.payment, source=source, now=now)


def _refused(session: Session, locked: Locked, error: ProviderError, *, source: str, now: datetime) -> None:
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


def _failed(session: Session, locked: Locked, result: Result, *, source: str, now: datetime) -> None:
    payment, attempt = locked.payment, locked.attempt
    state = "cancelled" if result.state is State.CANCELLED else "failed"
    if not _to(attempt, state, now=now):
        return
    attempt.error_code = result.code
    attempt.error_message = (result.message or "")[:MAX_TEXT] or None
    if move(payment, state, now=now):
        payment.failure_code = attempt.error_code
        payment.failure_reason = attempt.error_message
        close_review(payment, ABOUT_THE_ANSWER, now=now)
        event_type = catalogue.PAYMENT_CANCELLED if state == "cancelled" else catalogue.PAYMENT_FAILED
        record(session, event_type, payment, source=source, now=now)


def _reversed(session: Session, locked: Locked, *, source: str, now: datetime) -> None:
    """The provider took collected money back."""
    payment, attempt = locked.payment, locked.attempt
    if attempt.state in ("sending", "unknown", "pending"):
        # Paid and taken back before we heard of either: nothing is ours.
        result = Result(State.FAILED, code="reversed", message="The payment was taken back.")
        _failed(session, locked, result, source=source, now=now)
    elif attempt.state == "succeeded" and payment.refund_reserved:
        _reversed_after_refund(session, locked, source=source, now=now)
    elif take_back(session, locked, source=source, now=now):
        # Shown while a refund was open, which has failed since: now all of it is booked.
        close_review(payment, {"reversed_after_refund"}, now=now)


def _reversed_in_suspense(
    session: Session, locked: Locked, waiting: Money, *, source: str, now: datetime
) -> None:
    payment, attempt = locked.payment, locked.attempt
    was_mismatch = attempt.state == "succeeded"
    if not _to(attempt, "reversed", now=now):
        return
    payment_ledger.book_suspense_reversal(session, payment, attempt, waiting, now=now)
    close_review(payment, ABOUT_MONEY, now=now)
    if was_mismatch and move(payment, "failed", now=now):
        payment.failure_code, payment.failure_reason = "reversed", "The provider took the payment back."
    record(session, catalogue.PAYMENT_REVERSED, payment, source=source, now=now)


def _reversed_after_refund(session: Session, locked: Locked, *, source: str, now: datetime) -> None:
    """After refunds of ours: where they are all of the money it only repeats what they say; else a person looks."""
    if locked.payment.refunded != locked.payment.amount:
        review(session, locked.payment, "reversed_after_refund", source=source, now=now)


def _given_back(session: Session, locked: Locked, *, source: str, now: datetime) -> None:
    """Money went back, and the provider does not say how much. A refund of ours explains it; else a person looks, also at
    a payment we had not heard the end of: what was not given back is still there."""
    ours = select(Refund.id).where(Refund.attempt_id == locked.attempt.id, Refund.state != "failed").limit(1)
    is_there = locked.attempt.state in (*OPEN_ATTEMPTS, "succeeded", "late")
    if is_there and session.scalars(ours).first() is None:
        review(session, locked.payment, "refunded_at_provider", source=source, now=now)
