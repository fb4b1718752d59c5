"""Row locks of payments, attempts and refunds, in one order everywhere: the payment, then its attempt or refund, then
their job, then the ledger's (docs/ledger.md#locks). Whoever has the payment's lock has its attempts and refunds to itself.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.payment import Payment, PaymentAttempt, Refund


@dataclass(frozen=True, slots=True)
class LockedAttempt:
    """A payment and one of its attempts, both locked, as they are now."""

    payment: Payment
    attempt: PaymentAttempt


@dataclass(frozen=True, slots=True)
class LockedRefund:
    """A refund, its payment and the attempt that collected the money; payment and refund locked."""

    payment: Payment
    refund: Refund
    attempt: PaymentAttempt


def lock_attempt(session: Session, attempt_id: uuid.UUID) -> LockedAttempt:
    """The attempt and its payment, locked."""
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
    return LockedAttempt(payment, attempt)


def lock_refund(session: Session, refund_id: uuid.UUID) -> LockedRefund:
    """The refund and its payment, locked."""
    payment_id = session.scalars(select(Refund.payment_id).where(Refund.id == refund_id)).one()
    payment = lock_payment(session, payment_id)
    refund = session.scalars(
        select(Refund)
        .where(Refund.id == refund_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    return LockedRefund(payment, refund, session.get_one(PaymentAttempt, refund.attempt_id))


def lock_payment(session: Session, payment_id: uuid.UUID) -> Payment:
    """The payment as it is now, locked."""
    return session.scalars(
        select(Payment)
        .where(Payment.id == payment_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
