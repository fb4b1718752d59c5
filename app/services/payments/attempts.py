"""Sends an attempt to its provider: store it, call without a transaction, apply the outcome (docs/payments.md#three-phases).

Guarantees: an attempt is `sending`, with the key the provider gets, in the database before the first byte leaves; no
connection is held during the call; a second provider is tried only after a definite "nothing happened".
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from flask import current_app
from sqlalchemy.orm import Session

from app import clock, ids, queue
from app.events import outbox
from app.events.catalogue import EventType
from app.models.job import JobKind
from app.models.payment import AttemptState, Payment, PaymentAttempt, PaymentStatus
from app.money import Money
from app.providers.base import ChargeReference, ChargeRequest, Customer, Provider
from app.providers.errors import NOTHING_HAPPENED, OutcomeUnknown, ProviderError
from app.providers.settings import CALLBACK_URL
from app.services.payments import outcomes
from app.services.payments.locks import LockedAttempt, lock_attempt
from app.services.payments.recording import record_payment_event
from app.services.payments.states import OPEN_ATTEMPTS, move_attempt, move_payment
from app.services.provider_access import bulkhead
from app.services.provider_access.accounts import BoundProvider
from app.services.provider_operations import (
    FIRST_POLL_S,
    Operation,
    Outcome,
    Phase,
    answer_time,
    call_provider,
)
from app.unit_of_work import reading, transaction

log = structlog.get_logger("payments")

PENDING_POLL_S: Final = 20
"""An attempt that waits for its customer is queried for the first time after so many seconds, unless a callback came."""

MAX_DESCRIPTION: Final = 200
"""Characters of a merchant's order_id that are shown on the payment page: providers refuse a longer description."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What sending led to: the payment as it is now, and the last provider's outcome."""

    payment: Payment
    outcome: Outcome


def new_attempt(
    session: Session,
    payment: Payment,
    bound: BoundProvider,
    *,
    number: int,
    is_sending: bool,
    now: datetime,
    attempt_id: uuid.UUID | None = None,
) -> PaymentAttempt:
    """Insert an attempt and its job. `is_sending`: the caller sends it now; else the job does."""
    attempt_id = attempt_id or ids.uuid7()
    attempt = PaymentAttempt(
        id=attempt_id,
        payment_id=payment.id,
        number=number,
        provider=bound.provider.name,
        account_id=bound.account_id,
        environment=bound.environment,
        reference=f"pay-{attempt_id.hex}",
        short_reference=secrets.token_hex(6).upper(),
        callback_token=secrets.token_urlsafe(24),
        state=AttemptState.SENDING if is_sending else AttemptState.CREATED,
        inquiries=0,
        sendings=int(is_sending),
        sent_at=now if is_sending else None,
        created_at=now,
        updated_at=now,
    )
    session.add(attempt)
    session.flush()
    run_at = now + answer_time() if is_sending else now
    queue.enqueue(
        session,
        JobKind.PAYMENT_FOLLOW_UP,
        ref=str(attempt_id),
        run_at=run_at,
        now=now,
    )
    return attempt


def send(
    attempt_id: uuid.UUID,
    others: Sequence[BoundProvider] = (),
    *,
    sending: int = 1,
    finish: Finish | None = None,
    release_slot: Callable[[], None] = lambda: None,
) -> Sent:
    """Call the provider of an attempt that is `sending`, and apply its outcome.

    others: the providers to fail over to after a definite "nothing happened", in order. sending: which sending of the
    attempt this is. finish: runs in the last transaction. release_slot: releases the slot of the attempt's provider before
    the next one is called. Raises what transactions raise; the attempt's job then finds out the outcome.
    """
    payment, attempt = read_attempt(attempt_id)
    answer = _Answer(_charge(payment, attempt, sending), sending)
    following = others[0] if others and isinstance(answer.outcome, NOTHING_HAPPENED) else None
    with ExitStack() as slots:
        has_slot = following is not None and slots.enter_context(bulkhead.slot(following.provider.name))
        wanted = None if following is None else _Next(following, ids.uuid7(), has_slot)
        settled = transaction(lambda s: _settle(s, attempt_id, answer, wanted, finish))
        if settled.next_id is None:
            return Sent(settled.payment, answer.outcome)
        release_slot()
        return send(settled.next_id, others[1:], finish=finish, release_slot=slots.close)


class Finish:
    """What else belongs to the transaction that applies the outcome: storing a key's answer (create.py)."""

    def __call__(self, session: Session, sent: Sent) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Answer:
    """The outcome of one sending of the attempt (1: the first)."""

    outcome: Outcome
    sending: int


@dataclass(frozen=True, slots=True)
class _Next:
    """The provider to fail over to, the id of its attempt, and whether it is sent now or by its job."""

    bound: BoundProvider
    attempt_id: uuid.UUID
    is_sending: bool


@dataclass(frozen=True, slots=True)
class _Settled:
    payment: Payment
    next_id: uuid.UUID | None


def _settle(
    session: Session,
    attempt_id: uuid.UUID,
    answer: _Answer,
    wanted: _Next | None,
    finish: Finish | None,
) -> _Settled:
    now, outcome = clock.now(), answer.outcome
    locked = lock_attempt(session, attempt_id)
    if isinstance(outcome, ProviderError) and locked.attempt.sendings != answer.sending:
        # This answer is late: the attempt was sent again meanwhile, and only that sending's answer can refuse it.
        outcome = OutcomeUnknown(code="superseded")
        if finish is not None:
            finish(session, Sent(locked.payment, outcome))
        return _Settled(locked.payment, None)
    is_first_sending = locked.attempt.state == AttemptState.SENDING and answer.sending == 1
    if wanted is not None and isinstance(outcome, ProviderError) and is_first_sending:
        _fail_over(session, locked, outcome, wanted, now=now)
        return _failed_over(session, locked.payment, wanted, finish)
    locked = outcomes.apply_outcome(session, attempt_id, outcome, source="answer", now=now)
    wait_s = FIRST_POLL_S if isinstance(outcome, OutcomeUnknown) else PENDING_POLL_S
    queue.run_sooner(
        session, JobKind.PAYMENT_FOLLOW_UP, ref=str(attempt_id), run_at=now + timedelta(seconds=wait_s)
    )
    if finish is not None:
        session.flush()
        finish(session, Sent(locked.payment, outcome))
    return _Settled(locked.payment, None)


def _fail_over(
    session: Session,
    locked: LockedAttempt,
    error: ProviderError,
    wanted: _Next,
    *,
    now: datetime,
) -> None:
    """End an attempt that did nothing, without ending the payment, and insert the next one."""
    attempt, payment = locked.attempt, locked.payment
    move_attempt(attempt, AttemptState.FAILED, now=now)
    attempt.error_code, attempt.error_message = error.code, error.message
    payment.provider, payment.updated_at = wanted.bound.provider.name, now
    session.flush()
    _record_failover(session, payment, attempt, wanted, reason=error.code, now=now)
    new_attempt(
        session,
        payment,
        wanted.bound,
        number=attempt.number + 1,
        is_sending=wanted.is_sending,
        now=now,
        attempt_id=wanted.attempt_id,
    )


def _record_failover(
    session: Session, payment: Payment, attempt: PaymentAttempt, wanted: _Next, *, reason: str, now: datetime
) -> None:
    """For the audit trail: merchants see the payment's provider change."""
    data = {
        "from_provider": attempt.provider,
        "from_attempt_id": str(attempt.id),
        "to_provider": wanted.bound.provider.name,
        "to_attempt_id": str(wanted.attempt_id),
        "reason": reason,
    }
    outbox.record(
        session,
        EventType.PAYMENT_FAILED_OVER,
        object_id=str(payment.id),
        data=data,
        now=now,
        actor="answer",
        tenant_id=payment.tenant_id,
        is_public=False,
    )
    log.warning(EventType.PAYMENT_FAILED_OVER, payment=str(payment.id), **data)


def _failed_over(session: Session, payment: Payment, wanted: _Next, finish: Finish | None) -> _Settled:
    """With no slot at the next provider, its attempt's job sends it, and the caller gets the payment as it is now."""
    if wanted.is_sending:
        return _Settled(payment, wanted.attempt_id)
    if move_payment(payment, PaymentStatus.PROCESSING, now=clock.now()):
        record_payment_event(session, EventType.PAYMENT_PROCESSING, payment, source="system", now=clock.now())
    if finish is not None:
        session.flush()
        finish(session, Sent(payment, OutcomeUnknown(code="queued")))
    return _Settled(payment, None)


def read_attempt(attempt_id: uuid.UUID) -> tuple[Payment, PaymentAttempt]:
    """An attempt with its payment, not locked."""
    with reading() as session:
        attempt = session.get_one(PaymentAttempt, attempt_id)
        return session.get_one(Payment, attempt.payment_id), attempt


def operation_of(payment: Payment, attempt: PaymentAttempt) -> Operation[tuple[Payment, PaymentAttempt]]:
    """The attempt as an operation at its provider."""
    is_open = attempt.state in OPEN_ATTEMPTS
    return Operation(
        attempt.id,
        (payment, attempt),
        attempt,
        Phase(attempt.state) if is_open else Phase.FINAL,
        attempt.created_at,
        attempt.sent_at,
        attempt.inquiries,
    )


def _charge(payment: Payment, attempt: PaymentAttempt, sending: int) -> Outcome:
    """The outcome of calling the provider. Nothing is sent when a later sending has replaced this one."""
    if attempt.state != AttemptState.SENDING or attempt.sendings != sending:
        return OutcomeUnknown("This sending came too late.", code="superseded")
    return call_provider(
        operation_of(payment, attempt),
        lambda provider: provider.charge(charge_request(payment, attempt, provider)),
    )


def charge_request(payment: Payment, attempt: PaymentAttempt, provider: Provider) -> ChargeRequest:
    customer = Customer(payment.customer_phone, payment.customer_email, payment.customer_name)
    metadata = dict(payment.payment_metadata or {})
    return ChargeRequest(
        reference=attempt.reference,
        short_reference=attempt.short_reference,
        amount=Money(payment.amount, payment.currency),
        customer=customer,
        callback_url=callback_url(attempt.provider, attempt.callback_token, provider),
        return_url=payment.return_url or return_url(payment.id),
        description=str(metadata.get("order_id") or "Payment")[:MAX_DESCRIPTION],
        metadata=metadata,
    )


def charge_reference(payment: Payment, attempt: PaymentAttempt, provider: Provider) -> ChargeReference:
    """What identifies the attempt's charge to its provider."""
    return ChargeReference(
        reference=attempt.reference,
        short_reference=attempt.short_reference,
        # What was collected, once that is known: refunds are measured against it.
        amount=attempt.collected_money or Money(payment.amount, payment.currency),
        sent_at=attempt.sent_at or attempt.created_at,
        provider_reference=attempt.provider_reference,
        receipt=attempt.receipt,
        callback_url=callback_url(attempt.provider, attempt.callback_token, provider),
    )


def callback_url(name: str, token: str, provider: Provider) -> str:
    """Where the provider reports one operation: the end of the URL is that operation's secret."""
    base = provider.account.get(CALLBACK_URL) or f"{current_app.config['PUBLIC_URL']}/api/v1/webhooks/{name}"
    return f"{base.rstrip('/')}/{token}"


def return_url(payment_id: uuid.UUID) -> str:
    """Where the customer's browser returns after a payment page when the merchant gave no return_url."""
    given: str = current_app.config["PAYMENT_RETURN_URL"]
    return given or f"{current_app.config['PUBLIC_URL']}/payments/{payment_id}/return"
