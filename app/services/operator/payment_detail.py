"""What operators need to know of a payment to find it at its provider: references, receipts, refunds, disputes."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from app.errors import TransactionNotFound
from app.models.dispute import Dispute
from app.models.payment import Payment, PaymentAttempt, Refund
from app.models.tenant import Tenant
from app.money import Money
from app.unit_of_work import reading

MOST: Final = 100
"""Payments under review in one list; the rest follow when these are decided."""


@dataclass(frozen=True, slots=True)
class PaymentDetail:
    """A payment with all that belongs to it. tenant: its merchant's name."""

    payment: Payment
    tenant: str
    attempts: Sequence[PaymentAttempt]
    refunds: Sequence[Refund]
    disputes: Sequence[Dispute]


@dataclass(frozen=True, slots=True)
class PaymentInReview:
    """collected: what its attempts have collected, in whatever currency."""

    payment: Payment
    collected: Sequence[Money]


def payment_detail(payment_id: uuid.UUID) -> PaymentDetail:
    """Of any tenant: for operators only. Raises TransactionNotFound."""
    with reading() as session:
        payment = session.get(Payment, payment_id)
        if payment is None:
            raise TransactionNotFound
        attempts = select(PaymentAttempt).where(PaymentAttempt.payment_id == payment_id)
        refunds = select(Refund).where(Refund.payment_id == payment_id)
        disputes = select(Dispute).where(Dispute.payment_id == payment_id)
        return PaymentDetail(
            payment,
            session.get_one(Tenant, payment.tenant_id).name,
            session.scalars(attempts.order_by(PaymentAttempt.number)).all(),
            session.scalars(refunds.order_by(Refund.created_at, Refund.id)).all(),
            session.scalars(disputes.order_by(Dispute.id)).all(),
        )


def payments_in_review() -> Sequence[PaymentInReview]:
    """Payments under review, oldest first, at most MOST."""
    with reading() as session:
        found = select(Payment).where(Payment.reviews.any()).order_by(Payment.id).limit(MOST)
        payments = session.scalars(found).all()
        attempts = select(PaymentAttempt).where(PaymentAttempt.payment_id.in_([one.id for one in payments]))
        collected: defaultdict[uuid.UUID, list[Money]] = defaultdict(list)
        for attempt in session.scalars(attempts.order_by(PaymentAttempt.number)):
            if (money := attempt.collected_money) is not None:
                collected[attempt.payment_id].append(money)
    return [PaymentInReview(payment, collected[payment.id]) for payment in payments]
