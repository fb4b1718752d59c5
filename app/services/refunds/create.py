"""Creates refunds. Guarantees: never more than was collected, however many requests come at once; the amount is held before the
provider is called; one Idempotency-Key refunds once."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import GatewayError, InvalidAmount, NotRefundable, TransactionNotFound
from app.events.catalogue import EventType
from app.models.payment import AttemptState, Payment, PaymentAttempt, PaymentStatus, Refund, RefundState
from app.money import Money
from app.principal import Principal
from app.providers.base import Capabilities
from app.providers.errors import NOTHING_HAPPENED
from app.services.idempotency_service import Abandoned, Answer, Claim, begin, finish, refuse, replayed
from app.services.payments import postings as payment_postings
from app.services.payments.locks import LockedRefund, lock_payment
from app.services.payments.read import owned, readable
from app.services.payments.states import REFUNDABLE
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.services.provider_operations import Outcome, answer_time
from app.services.refunds import follow_up, outcomes
from app.unit_of_work import reading, transaction


@dataclass(frozen=True, slots=True)
class Refunded:
    """What a refund request led to. was_reached: False where the provider was not reached, so that the refund failed."""

    payment: Payment
    refund: Refund
    was_reached: bool = True

    @property
    def is_failed(self) -> bool:
        return self.refund.state == RefundState.FAILED


def create_refund(
    merchant: Principal, payment_id: uuid.UUID, *, amount: object | None, reason: str | None, claim: Claim
) -> Answer:
    """Refund `amount` (as Money.parse takes it; None: what is left). The claim presents a `Refunded`.

    Raises TransactionNotFound, NotRefundable, InvalidAmount, InsufficientBalance: nothing was sent, the key is free.
    """
    refund_id = ids.uuid7()
    with reading() as session:
        payment = owned(session, merchant.tenant_id, payment_id)
        attempt = collecting_attempt(session, payment_id)
    asked = Money.parse(amount, payment.currency) if amount is not None else None
    name = attempt.provider if attempt else payment.provider
    # Before the transaction: finding the account takes a connection of its own.
    capabilities = provider_accounts.of_attempt(attempt).capabilities if attempt else None
    with bulkhead.slot(name) as has_slot:
        begun = transaction(
            lambda s: _begin(
                s, refund_id, merchant, payment_id, asked, reason, claim, capabilities, is_sending=has_slot
            )
        )
        if isinstance(begun, Answer):
            return begun
        if isinstance(begun, GatewayError):
            raise begun
        if isinstance(begun, Abandoned):
            with reading() as session:
                return replayed(claim, _refunded(session, begun.resource_id, None))
        if not has_slot:
            return _finished(claim, refund_id, None)
        _, outcome = follow_up.send(refund_id)
    return _finished(claim, refund_id, outcome)


def list_refunds(reader: Principal, payment_id: uuid.UUID) -> list[Refund]:
    """Every refund of a payment, oldest first, for its merchant or an operator. Raises TransactionNotFound."""
    with reading() as session:
        readable(session, reader, payment_id)
        rows = session.scalars(select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id))
        return list(rows)


def collecting_attempt(session: Session, payment_id: uuid.UUID) -> PaymentAttempt | None:
    """The attempt that collected the payment's money."""
    wanted = select(PaymentAttempt).where(
        PaymentAttempt.payment_id == payment_id, PaymentAttempt.state == AttemptState.SUCCEEDED
    )
    return session.scalars(wanted).one_or_none()


def insert_refund(
    session: Session,
    refund_id: uuid.UUID,
    payment: Payment,
    attempt: PaymentAttempt,
    *,
    amount: Money,
    reason: str | None,
    is_sending: bool,
    is_from_suspense: bool = False,
) -> Refund:
    """A refund and its job, on a locked payment; the amount is not held yet."""
    now = clock.now()
    row = Refund(
        id=refund_id,
        payment_id=payment.id,
        attempt_id=attempt.id,
        tenant_id=payment.tenant_id,
        amount=amount.amount_minor,
        currency=amount.currency,
        reason=reason,
        is_from_suspense=is_from_suspense,
        reference=f"ref-{refund_id.hex}",
        callback_token=secrets.token_urlsafe(24),
        state=RefundState.SENDING if is_sending else RefundState.CREATED,
        refunded_before=0 if is_from_suspense else payment.refunded,
        inquiries=0,
        sent_at=now if is_sending else None,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    follow_up.enqueue(session, row, run_at=now + answer_time() if is_sending else now, now=now)
    return row


def _begin(
    session: Session,
    refund_id: uuid.UUID,
    merchant: Principal,
    payment_id: uuid.UUID,
    asked: Money | None,
    reason: str | None,
    claim: Claim,
    capabilities: Capabilities | None,
    *,
    is_sending: bool,
) -> Answer | Abandoned | GatewayError | None:
    """None: the refund is to be sent now. A refusal is the key's answer; it is returned, so that it is committed."""
    known = begin(session, claim, resource_id=refund_id, lease=answer_time() + timedelta(seconds=15))
    if known is not None:
        return known
    try:
        with session.begin_nested():
            _reserve(
                session, refund_id, merchant, payment_id, asked, reason, capabilities, is_sending=is_sending
            )
    except GatewayError as error:
        if not error.is_answer:
            raise
        refuse(session, claim, error)
        return error
    return None


def _reserve(
    session: Session,
    refund_id: uuid.UUID,
    merchant: Principal,
    payment_id: uuid.UUID,
    asked: Money | None,
    reason: str | None,
    capabilities: Capabilities | None,
    *,
    is_sending: bool,
) -> None:
    payment = lock_payment(session, payment_id)
    if payment.tenant_id != merchant.tenant_id:
        raise TransactionNotFound
    attempt = collecting_attempt(session, payment_id)
    if payment.status in (PaymentStatus.REFUNDED, PaymentStatus.REVERSED):
        raise NotRefundable(f"The payment is {payment.status}: nothing is left to refund.")
    if payment.status not in REFUNDABLE or attempt is None:
        raise NotRefundable
    amount = asked or Money(payment.amount - payment.refund_reserved, payment.currency)
    if capabilities is None:
        raise NotRefundable
    _require_possible(payment, amount, capabilities, payment.payment_method)
    row = insert_refund(
        session, refund_id, payment, attempt, amount=amount, reason=reason, is_sending=is_sending
    )
    payment.refund_reserved += amount.amount_minor
    payment.updated_at = row.created_at
    payment_postings.hold_refund(session, row, attempt, now=row.created_at)
    locked = LockedRefund(payment, row, attempt)
    outcomes.record(session, EventType.REFUND_INITIATED, locked, source=merchant, now=row.created_at)


def _require_possible(payment: Payment, amount: Money, can: Capabilities, provider: str) -> None:
    left = payment.amount - payment.refund_reserved
    if left <= 0:
        raise NotRefundable("Nothing is left to refund.")
    if amount.amount_minor > left:
        rest = Money(left, payment.currency)
        raise InvalidAmount(f"Refund amount exceeds what is left to refund ({rest}).", field="amount")
    if not can.can_refund:
        raise NotRefundable(f"Refunds are not supported by {provider}")
    if amount.amount_minor < payment.amount and not can.can_refund_partially:
        raise NotRefundable(f"Partial refunds are not supported by {provider}")
    if payment.refund_reserved and not can.can_refund_repeatedly:
        raise NotRefundable(f"Only one refund of a payment is supported by {provider}")


def _finished(claim: Claim, refund_id: uuid.UUID, outcome: Outcome | None) -> Answer:
    def work(session: Session) -> Answer:
        return finish(session, claim, _refunded(session, refund_id, outcome), resource_id=refund_id)

    return transaction(work)


def _refunded(session: Session, refund_id: uuid.UUID, outcome: Outcome | None) -> Refunded:
    row = session.get_one(Refund, refund_id)
    payment = session.get_one(Payment, row.payment_id)
    return Refunded(payment, row, was_reached=not isinstance(outcome, NOTHING_HAPPENED))
