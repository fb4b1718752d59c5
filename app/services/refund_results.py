"""What a provider said about a refund is applied here, whoever brings it. Guarantees as payment_results."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.events import catalogue, outbox
from app.models.payment import Payment, PaymentAttempt, Refund
from app.money import Money
from app.providers.base import Result, State
from app.providers.errors import OutcomeUnknown, ProviderError
from app.services import payment_ledger, payment_results
from app.services.payment_results import MAX_TEXT, Outcome
from app.services.payment_states import REFUND
from app.services.payment_view import event_data


@dataclass(frozen=True, slots=True)
class LockedRefund:
    """A refund, its payment and the attempt that collected the money; payment and refund locked."""

    payment: Payment
    refund: Refund
    attempt: PaymentAttempt


ABOUT_REFUNDS: Final = frozenset({"refund_unknown", "refund_stuck", "refund_amount_mismatch"})
"""Reasons for a review that a refund's end settles."""


def lock(session: Session, refund_id: uuid.UUID) -> LockedRefund:
    payment_id = session.scalars(select(Refund.payment_id).where(Refund.id == refund_id)).one()
    payment = payment_results.lock_payment(session, payment_id)
    refund = session.scalars(
        select(Refund)
        .where(Refund.id == refund_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    return LockedRefund(payment, refund, session.get_one(PaymentAttempt, refund.attempt_id))


def apply(
    session: Session, refund_id: uuid.UUID, outcome: Outcome, *, source: str, now: datetime
) -> LockedRefund:
    """Apply what was learnt about a refund; late and repeated news change nothing."""
    locked = lock(session, refund_id)
    refund = locked.refund
    if isinstance(outcome, OutcomeUnknown):
        if refund.state == "sending" and _to(refund, "unknown", now=now):
            refund.error_code, refund.error_message = outcome.code, outcome.message[:MAX_TEXT]
            record(session, catalogue.REFUND_PROCESSING, locked, source=source, now=now)
        return locked
    if isinstance(outcome, ProviderError):
        _failed(session, locked, outcome.code, outcome.message, source=source, now=now)
        return locked
    refund.provider_reference = refund.provider_reference or outcome.provider_reference
    match outcome.state:
        case State.SUCCEEDED if _is_other_amount(refund, outcome):
            # Not ours to book as what was asked for; its money stays held until a person has looked.
            payment_results.review(session, locked.payment, "refund_amount_mismatch", source=source, now=now)
            _to(refund, "pending", now=now)
        case State.SUCCEEDED | State.REVERSED:
            _completed(session, locked, source=source, now=now)
        case State.PENDING:
            if _to(refund, "pending", now=now):
                record(session, catalogue.REFUND_PROCESSING, locked, source=source, now=now)
        case State.FAILED | State.CANCELLED:
            _failed(session, locked, outcome.code, outcome.message, source=source, now=now)
        case State.NOT_FOUND:
            pass  # time decides (refund_driver)
    return locked


def _is_other_amount(refund: Refund, result: Result) -> bool:
    given = result.amount
    return given is not None and given != Money(refund.amount, refund.currency)


def record(session: Session, event_type: str, locked: LockedRefund, *, source: object, now: datetime) -> None:
    outbox.record(
        session, event_type, object_id=str(locked.payment.id), data=event_data(locked.payment, locked.refund),
        now=now, actor=source, tenant_id=locked.payment.tenant_id,  # type: ignore[arg-type]
    )  # fmt: skip


def _completed(session: Session, locked: LockedRefund, *, source: str, now: datetime) -> None:
    payment, refund = locked.payment, locked.refund
    if not _to(refund, "completed", now=now):
        return
    refund.completed_at = now
    refund.error_code = refund.error_message = None
    session.flush()
    payment_ledger.book_refund(session, payment, refund, locked.attempt, now=now)
    _close_reviews(session, locked, now=now)
    if not refund.is_from_suspense:
        payment.refunded += refund.amount
        status = "refunded" if payment.refunded == payment.amount else "partially_refunded"
        payment_results.move(payment, status, now=now)
        payment.updated_at = now
    record(session, catalogue.REFUND_COMPLETED, locked, source=source, now=now)


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
    if not _to(refund, "failed", now=now):
        return
    refund.error_code, refund.error_message = code, (message or "The refund failed.")[:MAX_TEXT]
    session.flush()
    payment_ledger.release_refund(session, refund, now=now)
    _close_reviews(session, locked, now=now)
    if not refund.is_from_suspense:
        payment.refund_reserved -= refund.amount
    payment.updated_at = now
    record(session, catalogue.REFUND_FAILED, locked, source=source, now=now)


def _close_reviews(session: Session, locked: LockedRefund, *, now: datetime) -> None:
    """A refund that is final answers what was asked about it. One from suspense that failed leaves the money waiting."""
    payment, refund = locked.payment, locked.refund
    payment_results.close_review(payment, ABOUT_REFUNDS, now=now)
    if refund.state == "completed" and payment.refunded + refund.amount == payment.amount:
        payment_results.close_review(payment, {"reversed_after_refund"}, now=now)
    if refund.is_from_suspense:
        payment_results.close_review(payment, payment_results.ABOUT_MONEY, now=now)
        if refund.state == "failed":
            payment_results.review(session, payment, "late_success", source="system", now=now)


def _to(refund: Refund, state: str, *, now: datetime) -> bool:
    if state not in REFUND[refund.state]:
        return False
    refund.state, refund.updated_at = state, now
    return True
