"""Creates refunds. Guarantees: never more than was collected, however many requests come at once; the amount is held before the
provider is called; one Idempotency-Key refunds once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from app import clock, ids
from app.errors import GatewayError, InvalidAmount, NotRefundable, TransactionNotFound
from app.events.catalogue import EventType
from app.models.idempotency import IdempotencyRecord
from app.models.job import JobKind
from app.models.payment import (
    Payment,
    PaymentAttempt,
    PaymentStatus,
    Refund,
    RefundOrigin,
    RefundState,
)
from app.money import Money
from app.principal import Principal
from app.providers.base import Capabilities
from app.providers.errors import NOTHING_HAPPENED, OutcomeUnknown
from app.services.idempotency_service import Answer, Claim, find, judge, replayed
from app.services.payments import disputes, postings
from app.services.payments import rows as payment_rows
from app.services.payments.read import readable
from app.services.payments.rows import PaymentWrites
from app.services.payments.states import REFUNDABLE
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead, callback_tokens
from app.services.provider_operations import Outcome, answer_time
from app.services.refunds import follow_up, outcomes
from app.services.write_sets import store
from app.services.write_sets.rows import new_row
from app.services.write_sets.store import KeyKnown
from app.unit_of_work import reading


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
    record = find(claim)
    if record is not None:
        return _known(record, claim)
    rows = payment_rows.read(payment_id)
    if rows.payment.tenant_id != merchant.tenant_id:
        raise TransactionNotFound
    wanted = _Wanted(
        ids.uuid7(), Money.parse(amount, rows.payment.currency) if amount is not None else None, reason
    )
    attempt, stored = rows.collecting_attempt, _StoredAnswer(wanted.refund_id, claim)
    with bulkhead.slot(attempt.provider if attempt else rows.payment.provider) as has_slot:
        try:
            begun = store.change(
                rows,
                lambda writes: _begin(writes, wanted, stored, claim, is_sending=has_slot),
                actor=merchant,
            )
        except KeyKnown as known:
            return _known(known.record, claim)
        except GatewayError as error:
            return store.refused(error, claim, known=lambda record: _known(record, claim))
        if has_slot:
            follow_up.send(begun.rows, wanted.refund_id, finish=stored)
    return stored.answer


def list_refunds(reader: Principal, payment_id: uuid.UUID) -> list[Refund]:
    """Every refund of a payment, oldest first, for its merchant or an operator. Raises TransactionNotFound."""
    with reading() as session:
        readable(session, reader, payment_id)
        rows = session.scalars(select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id))
        return list(rows)


def insert_refund(
    writes: PaymentWrites,
    refund_id: uuid.UUID,
    attempt: PaymentAttempt,
    *,
    amount: Money,
    reason: str | None,
    is_sending: bool,
    is_from_suspense: bool = False,
) -> Refund:
    """A refund and its job; the amount is not held yet."""
    payment, now = writes.rows.payment, writes.now
    refund = new_row(
        Refund,
        id=refund_id,
        payment_id=payment.id,
        attempt_id=attempt.id,
        tenant_id=payment.tenant_id,
        amount=amount.amount_minor,
        currency=amount.currency,
        reason=reason,
        origin=RefundOrigin.GATEWAY,
        is_from_suspense=is_from_suspense,
        reference=f"ref-{refund_id.hex}",
        callback_token=callback_tokens.new_digest(refund_id),
        state=RefundState.SENDING if is_sending else RefundState.CREATED,
        refunded_before=0 if is_from_suspense else payment.refunded,
        inquiries=0,
        sent_at=now if is_sending else None,
        created_at=now,
        updated_at=now,
    )
    writes.rows.refunds.append(refund)
    run_at = now + answer_time() if is_sending else now
    writes.add_job(JobKind.REFUND_FOLLOW_UP, refund_id, run_at=run_at)
    return refund


@dataclass(frozen=True, slots=True)
class _Wanted:
    """amount: None for all that is left."""

    refund_id: uuid.UUID
    amount: Money | None
    reason: str | None


class _StoredAnswer:
    """Presents the refund to its merchant, and stores that as the key's answer."""

    answer: Answer

    def __init__(self, refund_id: uuid.UUID, claim: Claim) -> None:
        self._refund_id, self._claim = refund_id, claim

    def __call__(self, writes: PaymentWrites, outcome: Outcome) -> None:
        refund = writes.rows.refund(self._refund_id)
        was_reached = not isinstance(outcome, NOTHING_HAPPENED)
        self.answer = self._claim.present(Refunded(writes.rows.payment, refund, was_reached=was_reached))
        writes.answer(self._claim, self.answer, resource_id=self._refund_id)


def _begin(
    writes: PaymentWrites, wanted: _Wanted, stored: _StoredAnswer, claim: Claim, *, is_sending: bool
) -> None:
    """What is stored before the first byte is sent. Raises NotRefundable, InvalidAmount: the refund is not possible."""
    lease = answer_time() + timedelta(seconds=15)
    writes.claim(claim, resource_id=wanted.refund_id, lease=lease)
    rows = writes.rows
    payment, attempt = rows.payment, rows.collecting_attempt
    if payment.status in (PaymentStatus.REFUNDED, PaymentStatus.REVERSED):
        raise NotRefundable(f"The payment is {payment.status}: nothing is left to refund.")
    if payment.status not in REFUNDABLE or attempt is None:
        raise NotRefundable
    disputes.require_refundable(rows)
    amount = wanted.amount or Money(payment.amount - payment.refund_reserved, payment.currency)
    capabilities = provider_accounts.of_attempt(attempt).capabilities
    _require_possible(payment, amount, capabilities)
    refund = insert_refund(
        writes, wanted.refund_id, attempt, amount=amount, reason=wanted.reason, is_sending=is_sending
    )
    payment.refund_reserved += amount.amount_minor
    payment.updated_at = writes.now
    postings.hold_refund(writes, refund, attempt)
    outcomes.record(writes, EventType.REFUND_INITIATED, refund)
    if not is_sending:
        stored(writes, OutcomeUnknown(code="queued"))


def _require_possible(payment: Payment, amount: Money, can: Capabilities) -> None:
    provider = payment.provider
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


def _known(record: IdempotencyRecord, claim: Claim) -> Answer:
    """The answer of a key that was claimed before. Where there is none, or none any more, the refund as it is now."""
    known = judge(record, claim, now=clock.now())
    if isinstance(known, Answer):
        return known
    rows = payment_rows.read(refund_id=known.resource_id)
    return replayed(claim, Refunded(rows.payment, rows.refund(known.resource_id)))
