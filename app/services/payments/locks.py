"""Locks of payments and attempts, always taken in this order: payment, then attempt (docs/ledger.md)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.payment import Payment, PaymentAttempt


@dataclass(frozen=True, slots=True)
class LockedAttempt:
    """A payment and one of its attempts, both locked, as they are now."""

    payment: Payment
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


def lock_payment(session: Session, payment_id: uuid.UUID) -> Payment:
    return session.scalars(
        select(Payment)
        .where(Payment.id == payment_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
