"""Sends an attempt to its provider: store it, call with nothing held, apply the outcome (docs/payments.md#three-phases).

Guarantees: an attempt is `sending`, with the key the provider gets, in the database before the first byte leaves; no
connection is held during the call; a second provider is tried only after a definite "nothing happened".
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

import structlog
from flask import current_app

from app import ids
from app.events.catalogue import EventType
from app.models.job import JobKind
from app.models.payment import AttemptState, Payment, PaymentAttempt
from app.money import Money
from app.providers.base import ChargeReference, ChargeRequest, Customer, Provider
from app.providers.errors import NOTHING_HAPPENED, OutcomeUnknown, ProviderError
from app.services.payments import outcomes
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import OPEN_ATTEMPTS, move_attempt
from app.services.provider_access import bulkhead, callback_tokens
from app.services.provider_access.accounts import BoundProvider
from app.services.provider_operations import FIRST_POLL_S, Operation, Outcome, call_provider
from app.services.write_sets import store
from app.services.write_sets.rows import new_row

log = structlog.get_logger("payments")

PENDING_POLL_S: Final = 20
"""An attempt that waits for its customer is queried for the first time so many seconds after it was sent, unless a callback
came."""

MAX_DESCRIPTION: Final = 200
"""Characters of a merchant's order_id that are shown on the payment page: providers refuse a longer description."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What sending led to: the payment as it is now, and the last provider's outcome."""

    rows: PaymentRows
    outcome: Outcome


PaymentOperation: TypeAlias = Operation[PaymentRows, PaymentAttempt]
"""An attempt, or a refund of what it collected, at its provider."""

Finish = Callable[[PaymentWrites, Outcome], None]
"""What else belongs to the write set that applies the outcome: the answer of a key (create.py)."""


def add_attempt(
    writes: PaymentWrites,
    bound: BoundProvider,
    *,
    is_sending: bool,
    attempt_id: uuid.UUID | None = None,
    reference: str | None = None,
) -> PaymentAttempt:
    """The payment's next attempt, and its job. `is_sending`: the caller sends it now; else the job does. `reference`: what it is
    called at the provider; None: by its id."""
    rows, now = writes.rows, writes.now
    attempt_id = attempt_id or ids.uuid7()
    attempt = new_row(
        PaymentAttempt,
        id=attempt_id,
        payment_id=rows.payment.id,
        number=len(rows.attempts) + 1,
        provider=bound.provider.name,
        account_id=bound.account_id,
        environment=bound.environment,
        reference=reference or f"pay-{attempt_id.hex}",
        short_reference=secrets.token_hex(6).upper(),
        callback_token=callback_tokens.new_digest(attempt_id),
        state=AttemptState.SENDING if is_sending else AttemptState.CREATED,
        inquiries=0,
        sendings=int(is_sending),
        sent_at=now if is_sending else None,
        created_at=now,
        updated_at=now,
    )
    rows.attempts.append(attempt)
    run_at = now + timedelta(seconds=PENDING_POLL_S) if is_sending else now
    writes.add_job(JobKind.PAYMENT_FOLLOW_UP, attempt_id, run_at=run_at)
    return attempt


def send(
    rows: PaymentRows,
    attempt_id: uuid.UUID,
    others: Sequence[BoundProvider] = (),
    *,
    sending: int = 1,
    finish: Finish | None = None,
    release_slot: Callable[[], None] = lambda: None,
) -> Sent:
    """Call the provider of an attempt that is `sending`, and apply its outcome.

    rows: as they were stored when the sending began. others: the providers to fail over to after a definite "nothing
    happened", in order. sending: which sending of the attempt this is. finish: adds to the last write set. release_slot:
    releases the slot of the attempt's provider before the next one is called. Raises what store.change raises; the attempt's
    job then finds out the outcome.
    """
    answer = _Answer(_charge(rows, rows.attempt(attempt_id), sending), sending)
    following = others[0] if others and isinstance(answer.outcome, NOTHING_HAPPENED) else None
    with ExitStack() as slots:
        has_slot = following is not None and slots.enter_context(bulkhead.slot(following.provider.name))
        wanted = None if following is None else _Next(following, ids.uuid7(), has_slot)
        settled = store.change(
            rows, lambda writes: _settle(writes, attempt_id, answer, wanted, finish), actor="answer"
        )
        if settled.result is None:
            return Sent(settled.rows, answer.outcome)
        release_slot()
        return send(settled.rows, settled.result, others[1:], finish=finish, release_slot=slots.close)


def charge_in_process(writes: PaymentWrites, attempt_id: uuid.UUID, finish: Finish) -> None:
    """Charge a new attempt at a provider that is part of this process, in the write set that begins it: nothing leaves the
    process, so there is nothing to be found out after a crash."""
    answer = _Answer(_charge(writes.rows, writes.rows.attempt(attempt_id), sending=1), sending=1)
    writes.actor = "answer"
    _settle(writes, attempt_id, answer, None, finish)


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


def _settle(
    writes: PaymentWrites, attempt_id: uuid.UUID, answer: _Answer, wanted: _Next | None, finish: Finish | None
) -> uuid.UUID | None:
    """The id of the attempt to send next, if any."""
    attempt, outcome = writes.rows.attempt(attempt_id), answer.outcome
    is_latest = attempt.sendings == answer.sending and attempt is writes.rows.latest_attempt
    if isinstance(outcome, ProviderError) and not is_latest:
        # This answer is late: something was sent again meanwhile, and only the latest sending's answer can refuse the payment.
        outcome = OutcomeUnknown(code="superseded")
    elif (
        wanted is not None
        and isinstance(outcome, ProviderError)
        and attempt.state == AttemptState.SENDING
        and answer.sending == 1
    ):
        _fail_over(writes, attempt, outcome, wanted)
        if wanted.is_sending:
            return wanted.attempt_id
        # With no slot at the next provider its attempt's job sends it, and the caller gets the payment as it is now.
        outcomes.mark_processing(writes)
        outcome = OutcomeUnknown(code="queued")
    else:
        outcomes.decide(writes, attempt, outcome)
        if isinstance(outcome, OutcomeUnknown):
            run_at = writes.now + timedelta(seconds=FIRST_POLL_S)
            writes.run_job_by(JobKind.PAYMENT_FOLLOW_UP, attempt_id, run_at)
    if finish is not None:
        finish(writes, outcome)
    return None


def _fail_over(writes: PaymentWrites, attempt: PaymentAttempt, error: ProviderError, wanted: _Next) -> None:
    """End an attempt that did nothing, without ending the payment, and add the next one."""
    payment = writes.rows.payment
    move_attempt(attempt, AttemptState.FAILED, now=writes.now)
    attempt.error_code, attempt.error_message = error.code, error.message
    writes.end_job(JobKind.PAYMENT_FOLLOW_UP, attempt.id)
    payment.provider, payment.updated_at = wanted.bound.provider.name, writes.now
    _record_failover(writes, attempt, wanted, reason=error.code)
    add_attempt(writes, wanted.bound, is_sending=wanted.is_sending, attempt_id=wanted.attempt_id)


def _record_failover(writes: PaymentWrites, attempt: PaymentAttempt, wanted: _Next, *, reason: str) -> None:
    """For the audit trail: merchants see the payment's provider change."""
    data = {
        "from_provider": attempt.provider,
        "from_attempt_id": str(attempt.id),
        "to_provider": wanted.bound.provider.name,
        "to_attempt_id": str(wanted.attempt_id),
        "reason": reason,
    }
    writes.record(EventType.PAYMENT_FAILED_OVER, data, is_public=False)
    log.warning(EventType.PAYMENT_FAILED_OVER, payment=str(writes.rows.payment.id), **data)


def operation_of(rows: PaymentRows, attempt_id: uuid.UUID) -> PaymentOperation:
    """The attempt as an operation at its provider."""
    attempt = rows.attempt(attempt_id)
    return Operation.of(attempt, rows, attempt, is_open=attempt.state in OPEN_ATTEMPTS)


def _charge(rows: PaymentRows, attempt: PaymentAttempt, sending: int) -> Outcome:
    """The outcome of calling the provider. Nothing is sent when a later sending has replaced this one."""
    if attempt.state != AttemptState.SENDING or attempt.sendings != sending:
        return OutcomeUnknown("This sending came too late.", code="superseded")
    return call_provider(
        operation_of(rows, attempt.id),
        lambda provider: provider.charge(charge_request(rows.payment, attempt, provider)),
    )


def charge_request(payment: Payment, attempt: PaymentAttempt, provider: Provider) -> ChargeRequest:
    customer = Customer(payment.customer_phone, payment.customer_email, payment.customer_name)
    metadata = dict(payment.payment_metadata or {})
    return ChargeRequest(
        reference=attempt.reference,
        short_reference=attempt.short_reference,
        amount=Money(payment.amount, payment.currency),
        customer=customer,
        callback_url=callback_tokens.callback_url(attempt, attempt.provider, provider),
        return_url=payment.return_url or return_url(payment.id),
        description=payment.description or str(metadata.get("order_id") or "Payment")[:MAX_DESCRIPTION],
        merchant_reference=payment.reference,
        metadata=metadata,
        saved_details=payment.saved_details,
        is_method_kept=payment.save_method is not None,
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
        callback_url=callback_tokens.callback_url(attempt, attempt.provider, provider),
        is_unattended=payment.saved_details is not None and payment.payment_url is None,
    )


def return_url(payment_id: uuid.UUID) -> str:
    """Where the customer's browser returns after a payment page when the merchant gave no return_url."""
    given: str = current_app.config["PAYMENT_RETURN_URL"]
    return given or f"{current_app.config['PUBLIC_URL']}/payments/{payment_id}/return"
