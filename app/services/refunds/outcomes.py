"""Applies the outcome of a refund, whoever reports it, with the guarantees of payments/outcomes.py.

External refunds (external.py) and returned refunds are posted here too.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import assert_never

import structlog
from sqlalchemy.orm import Session

from app.events import outbox
from app.events.catalogue import EventType
from app.events.payloads import payment_payload
from app.models.payment import PaymentStatus, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.principal import EventActor
from app.providers.base import ProviderResult, State
from app.providers.errors import OutcomeUnknown, ProviderError
from app.services.payments import postings as payment_postings
from app.services.payments import reviews
from app.services.payments.locks import LockedRefund, lock_refund
from app.services.payments.outcomes import MAX_TEXT
from app.services.payments.states import move_payment, move_refund
from app.services.provider_operations import Outcome

log = structlog.get_logger("payments")


def apply_outcome(
    session: Session, refund_id: uuid.UUID, outcome: Outcome, *, source: EventActor, now: datetime
) -> LockedRefund:
    """Apply an outcome; a late or repeated one changes nothing."""
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
            # Another amount than requested is not posted; the requested amount stays held until an operator decides.
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
        case State.NOT_FOUND | State.REFUNDED:
            # Not an end: the request may be on its way, or the answer is about the payment. Its age decides.
            log.info("refund.not_found", refund=str(refund_id), source=source)
        case _:
            assert_never(outcome.state)
    return locked


def _is_other_amount(refund: Refund, result: ProviderResult) -> bool:
    given = result.amount
    return given is not None and given != Money(refund.amount, refund.currency)


def record(
    session: Session, event_type: EventType, locked: LockedRefund, *, source: EventActor, now: datetime
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(locked.payment.id),
        data=payment_payload(locked.payment, locked.refund),
        now=now,
        actor=source,
        tenant_id=locked.payment.tenant_id,
    )
    log.info(
        event_type, payment=str(locked.payment.id), refund=str(locked.refund.id), state=locked.refund.state
    )


def record_external_refund(
    session: Session, locked: LockedRefund, *, source: EventActor, now: datetime
) -> None:
    """Post an external refund: its row is new, and `completed` already."""
    payment, refund = locked.payment, locked.refund
    payment_postings.post_external_refund(session, payment, refund, locked.attempt, now=now)
    if not refund.is_from_suspense:
        payment.refund_reserved += refund.amount
    _count(session, locked, source=source, now=now)


def mark_returned(session: Session, refund_id: uuid.UUID, *, source: EventActor, now: datetime) -> bool:
    """A completed refund was returned: it did not reach the customer. False: it is not completed, or the payment was reversed
    meanwhile, so that an operator must decide whose the money is."""
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


def _completed(session: Session, locked: LockedRefund, *, source: EventActor, now: datetime) -> None:
    refund = locked.refund
    if not move_refund(refund, RefundState.COMPLETED, now=now):
        return
    refund.completed_at = now
    refund.error_code = refund.error_message = None
    session.flush()
    payment_postings.post_refund(session, locked.payment, refund, locked.attempt, now=now)
    _count(session, locked, source=source, now=now)


def _count(session: Session, locked: LockedRefund, *, source: EventActor, now: datetime) -> None:
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
    source: EventActor,
    now: datetime,
) -> None:
    payment, refund = locked.payment, locked.refund
    if refund.state == RefundState.COMPLETED or not move_refund(refund, RefundState.FAILED, now=now):
        return  # a late refusal; only mark_returned ends a completed refund
    refund.error_code, refund.error_message = code, (message or "The refund failed.")[:MAX_TEXT]
    session.flush()
    payment_postings.release_refund(session, refund, now=now)
    _close_reviews(session, locked, source=source, now=now)
    if not refund.is_from_suspense:
        payment.refund_reserved -= refund.amount
    payment.updated_at = now
    record(session, EventType.REFUND_FAILED, locked, source=source, now=now)


def _close_reviews(session: Session, locked: LockedRefund, *, source: EventActor, now: datetime) -> None:
    """A final refund settles the reviews about it. One from suspense that failed leaves the money in suspense."""
    payment, refund = locked.payment, locked.refund
    reviews.close_reviews(payment, reviews.SETTLED_BY_REFUND, source=source, now=now)
    if refund.state == RefundState.COMPLETED and payment.refunded + refund.amount == payment.amount:
        reviews.close_reviews(payment, {ReviewReason.REVERSED_AFTER_REFUND}, source=source, now=now)
    if refund.is_from_suspense:
        reviews.close_reviews(payment, reviews.UNMATCHED_MONEY, source=source, now=now)
        if refund.state == RefundState.FAILED:
            reviews.open_review(session, payment, ReviewReason.LATE_SUCCESS, source="system", now=now)
