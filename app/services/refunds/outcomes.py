"""What a provider said about a refund is applied here, whoever brings it. Guarantees as payment_results.

A refund that somebody made at the provider ends up here, too (provider_refunds), and one that came back.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.events import outbox
from app.events.catalogue import EventType
from app.events.payloads import payment_payload
from app.models.payment import Payment, PaymentAttempt, PaymentStatus, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import Result, State
from app.providers.errors import OutcomeUnknown, ProviderError
from app.services.payments import postings as payment_postings
from app.services.payments import reviews
from app.services.payments.locks import lock_payment
from app.services.payments.outcomes import MAX_TEXT
from app.services.payments.states import move_payment, move_refund
from app.services.provider_operations import Outcome

log = structlog.get_logger("payments")


@dataclass(frozen=True, slots=True)
class LockedRefund:
    """A refund, its payment and the attempt that collected the money; payment and refund locked."""

    payment: Payment
    refund: Refund
    attempt: PaymentAttempt


def lock_refund(session: Session, refund_id: uuid.UUID) -> LockedRefund:
    payment_id = session.scalars(select(Refund.payment_id).where(Refund.id == refund_id)).one()
    payment = lock_payment(session, payment_id)
    refund = session.scalars(
        select(Refund)
        .where(Refund.id == refund_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    return LockedRefund(payment, refund, session.get_one(PaymentAttempt, refund.attempt_id))


def apply_outcome(
    session: Session, refund_id: uuid.UUID, outcome: Outcome, *, source: str, now: datetime
) -> LockedRefund:
    """Apply what was learnt about a refund; late and repeated news change nothing."""
    locked = lock_refund(session, refund_id)
    refund = locked.refund
    if isinstance(outcome, OutcomeUnknown):
        if refund.state == RefundState.SENDING and move_refund(refund, RefundState.UNKNOWN, now=now):
            refund.error_code, refund.error_message = outcome.code, outcome.message[:MAX_TEXT]
            record(session, EventType.REFUND_PROCESSING, locked, source=source, now=now)
        return locked
    if isinstance(outcome, ProviderError):
        _failed(session, locked, outcome.code, outcome.message, source=source, now=now)
        return locked
    refund.provider_reference = refund.provider_reference or outcome.provider_reference
    match outcome.state:
        case State.SUCCEEDED if _is_other_amount(refund, outcome):
            # Not ours to book as what was asked for; its money stays held until a person has looked.
            reviews.open_review(
                session, locked.payment, ReviewReason.REFUND_AMOUNT_MISMATCH, source=source, now=now
            )
            move_refund(refund, RefundState.PENDING, now=now)
        case State.SUCCEEDED | State.REVERSED:
            _completed(session, locked, source=source, now=now)
        case State.PENDING:
            if move_refund(refund, RefundState.PENDING, now=now):
                record(session, EventType.REFUND_PROCESSING, locked, source=source, now=now)
        case State.FAILED | State.CANCELLED:
            _failed(session, locked, outcome.code, outcome.message, source=source, now=now)
        case State.NOT_FOUND:
            pass  # time decides (refund_driver)
    return locked


def _is_other_amount(refund: Refund, result: Result) -> bool:
    given = result.amount
    return given is not None and given != Money(refund.amount, refund.currency)


def record(
    session: Session, event_type: EventType, locked: LockedRefund, *, source: object, now: datetime
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(locked.payment.id),
        data=payment_payload(locked.payment, locked.refund),
        now=now,
        actor=source,
        tenant_id=locked.payment.tenant_id,  # type: ignore[arg-type]
    )
    log.info(
        event_type, payment=str(locked.payment.id), refund=str(locked.refund.id), state=locked.refund.state
    )


def record_external_refund(session: Session, locked: LockedRefund, *, source: str, now: datetime) -> None:
    """Book a refund of the provider's own: its row is new, and `completed` already."""
    payment, refund = locked.payment, locked.refund
    payment_postings.post_external_refund(session, payment, refund, locked.attempt, now=now)
    if not refund.is_from_suspense:
        payment.refund_reserved += refund.amount
    _count(session, locked, source=source, now=now)


def mark_returned(session: Session, refund_id: uuid.UUID, *, source: str, now: datetime) -> bool:
    """A completed refund did not reach the customer, and the money is ours again. False: it is not completed, or the
    payment was taken back meanwhile, so that a person must say whose the money is."""
    locked = lock_refund(session, refund_id)
    payment, refund = locked.payment, locked.refund
    if (
        refund.state != RefundState.COMPLETED
        or payment.status == PaymentStatus.REVERSED
        or not move_refund(refund, RefundState.FAILED, now=now)
    ):
        return False
    refund.error_code, refund.error_message = "refund_returned", "The refund did not reach the customer."
    session.flush()
    payment_postings.post_returned_refund(session, payment, refund, locked.attempt, now=now)
    if refund.is_from_suspense:
        reviews.open_review(session, payment, ReviewReason.LATE_SUCCESS, source=source, now=now)
    else:
        payment.refunded -= refund.amount
        payment.refund_reserved -= refund.amount
        move_payment(
            payment,
            PaymentStatus.PARTIALLY_REFUNDED if payment.refunded else PaymentStatus.COMPLETED,
            now=now,
        )
    payment.updated_at = now
    record(session, EventType.REFUND_FAILED, locked, source=source, now=now)
    return True


def _completed(session: Session, locked: LockedRefund, *, source: str, now: datetime) -> None:
    refund = locked.refund
    if not move_refund(refund, RefundState.COMPLETED, now=now):
        return
    refund.completed_at = now
    refund.error_code = refund.error_message = None
    session.flush()
    payment_postings.post_refund(session, locked.payment, refund, locked.attempt, now=now)
    _count(session, locked, source=source, now=now)


def _count(session: Session, locked: LockedRefund, *, source: str, now: datetime) -> None:
    """What a completed refund changes on its payment."""
    payment, refund = locked.payment, locked.refund
    _close_reviews(session, locked, source=source, now=now)
    if not refund.is_from_suspense:
        payment.refunded += refund.amount
        is_all = payment.refunded == payment.amount
        move_payment(payment, PaymentStatus.REFUNDED if is_all else PaymentStatus.PARTIALLY_REFUNDED, now=now)
        payment.updated_at = now
    record(session, EventType.REFUND_COMPLETED, locked, source=source, now=now)


def _failed(
    session: Session,
    locked: LockedRefund,
    code: str | None,
    message: str | None,
    *,
    source: str,
    now: datetime,
) -> None:
    payment, refund = locked.payment, locked.refund
    if refund.state == RefundState.COMPLETED or not move_refund(refund, RefundState.FAILED, now=now):
        return  # a late refusal; that a refund came back is only said by mark_returned
    refund.error_code, refund.error_message = code, (message or "The refund failed.")[:MAX_TEXT]
    session.flush()
    payment_postings.release_refund(session, refund, now=now)
    _close_reviews(session, locked, source=source, now=now)
    if not refund.is_from_suspense:
        payment.refund_reserved -= refund.amount
    payment.updated_at = now
    record(session, EventType.REFUND_FAILED, locked, source=source, now=now)


def _close_reviews(session: Session, locked: LockedRefund, *, source: str, now: datetime) -> None:
    """A refund that is final answers what was asked about it. One from suspense that failed leaves the money waiting."""
    payment, refund = locked.payment, locked.refund
    reviews.close_reviews(payment, reviews.SETTLED_BY_REFUND, source=source, now=now)
    if refund.state == RefundState.COMPLETED and payment.refunded + refund.amount == payment.amount:
        reviews.close_reviews(payment, {ReviewReason.REVERSED_AFTER_REFUND}, source=source, now=now)
    if refund.is_from_suspense:
        reviews.close_reviews(payment, reviews.UNMATCHED_MONEY, source=source, now=now)
        if refund.state == RefundState.FAILED:
            reviews.open_review(session, payment, ReviewReason.LATE_SUCCESS, source="system", now=now)
