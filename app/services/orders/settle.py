"""Refunds what was collected for an order after it was paid: a payment that had failed or was cancelled, and was paid all the same.

Guarantees: it does not matter which comes first, the late money or the order's other payment: each leaves a job in the write
set that stores it, and whichever job runs last sees both. Money of an attempt is refunded by itself once; when that refund fails
an operator decides. While no payment has collected the order, late money waits for an operator.
"""

from __future__ import annotations

import uuid
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app import ids
from app.models.payment import AttemptState, Payment, PaymentAttempt, PaymentStatus
from app.principal import SYSTEM
from app.services.payments import postings
from app.services.payments import rows as payment_rows
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.refunds.unmatched import return_unmatched
from app.services.write_sets import store
from app.unit_of_work import reading

PAID: Final = (PaymentStatus.COMPLETED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED)
"""Of a payment that collected its order. Refunded too: no other payment of the order can be accepted. Not reversed: whether a
disputed order is paid by the late money is for an operator."""


def settle(cause: uuid.UUID) -> None:
    """The job. cause: the payment that was completed, or the attempt that was collected late. Safe to run again."""
    with reading() as session:
        order_id = _order_of(session, cause)
        late = [] if order_id is None else _with_late_money(session, order_id)
    for payment_id in late:
        store.change(payment_rows.read(payment_id), _return_late, actor=SYSTEM)


def _order_of(session: Session, cause: uuid.UUID) -> uuid.UUID | None:
    """The order, where it is paid."""
    payment_id = session.scalar(select(PaymentAttempt.payment_id).where(PaymentAttempt.id == cause)) or cause
    order_id = session.scalar(select(Payment.order_id).where(Payment.id == payment_id))
    is_paid = exists().where(Payment.order_id == order_id, Payment.status.in_(PAID))
    return order_id if order_id is not None and session.scalar(select(is_paid)) else None


def _with_late_money(session: Session, order_id: uuid.UUID) -> list[uuid.UUID]:
    wanted = select(PaymentAttempt.payment_id).join(Payment, Payment.id == PaymentAttempt.payment_id)
    wanted = wanted.where(Payment.order_id == order_id, PaymentAttempt.state == AttemptState.LATE)
    return list(session.scalars(wanted.distinct()))


def _return_late(writes: PaymentWrites) -> None:
    for attempt in writes.rows.attempts:
        collected = postings.unmatched_amount(writes.rows, attempt)
        if attempt.state != AttemptState.LATE or collected is None or _was_returned(writes.rows, attempt):
            continue
        return_unmatched(writes, ids.uuid7(), attempt, collected)


def _was_returned(rows: PaymentRows, attempt: PaymentAttempt) -> bool:
    return any(refund.is_from_suspense for refund in rows.refunds_of(attempt))
