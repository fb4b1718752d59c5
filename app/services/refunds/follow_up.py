"""Carries a refund on until it is final. As payment_driver: a job made with the refund, so that no crash loses it.

A refund is sent once. Only a provider's clear word ends it; until then its amount stays held.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.orm import Session

from app import clock, queue
from app.errors import GatewayError
from app.models.job import JobKind
from app.models.payment import Payment, PaymentAttempt, Refund, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import Provider, RefundReference, RefundRequest, Result, State
from app.providers.errors import NotSent, OutcomeUnknown, ProviderError
from app.services.payments import reviews
from app.services.payments.attempts import FIRST_POLL_S, answer_time, callback_url, charge_reference
from app.services.payments.outcomes import Outcome
from app.services.payments.states import OPEN_REFUNDS, move_refund
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.services.refunds import outcomes
from app.services.refunds.outcomes import LockedRefund
from app.unit_of_work import reading, transaction

WAITS_S: Final = (5, 15, 60, 300, 900, 3600, 21_600)
ALERT_AFTER: Final = timedelta(minutes=15)
STUCK_AFTER: Final = timedelta(days=7)
"""A refund that a provider took and has not done by then is put before a person."""

UNSENT_LIFE: Final = timedelta(hours=24)
"""A refund that could not be sent for so long is failed instead: the merchant asks again."""

log = structlog.get_logger("refunds")


def enqueue(session: Session, refund: Refund, *, run_at: datetime, now: datetime) -> None:
    queue.enqueue(session, JobKind.REFUND_FOLLOW_UP, ref=str(refund.id), run_at=run_at, now=now)


def follow_up(refund_id: uuid.UUID) -> datetime | None:
    """One step; when the next is due, None when the refund is final."""
    refund, payment, attempt = _read(refund_id)
    now = clock.now()
    if refund.state not in OPEN_REFUNDS:
        return None
    if refund.state == RefundState.SENDING and refund.sent_at and now < refund.sent_at + answer_time():
        return refund.sent_at + answer_time()
    with bulkhead.slot(attempt.provider) as has_slot:
        if not has_slot:
            return bulkhead.retry_at(now, since=refund.created_at)
        if refund.state == RefundState.CREATED:
            _start_and_send(refund_id)
        else:
            _ask(refund, payment, attempt)
    return _next(refund_id, now)


def send(refund_id: uuid.UUID) -> tuple[LockedRefund, Outcome]:
    """Call the provider of a refund that is `sending`, and apply what it says."""
    refund, payment, attempt = _read(refund_id)
    outcome = _call(refund, payment, attempt)

    def settle(session: Session) -> LockedRefund:
        now = clock.now()
        # Whatever it said, unless it was final: the news may not come by itself.
        queue.run_sooner(
            session,
            JobKind.REFUND_FOLLOW_UP,
            ref=str(refund_id),
            run_at=now + timedelta(seconds=FIRST_POLL_S),
        )
        return outcomes.apply_outcome(session, refund_id, outcome, source="answer", now=now)

    return transaction(settle), outcome


def poll(refund_id: uuid.UUID, *, source: str) -> None:
    """Ask now, and apply what can be told. Final refunds are not asked about."""
    refund, payment, attempt = _read(refund_id)
    is_being_sent = (
        refund.state == RefundState.SENDING
        and clock.now() < (refund.sent_at or refund.created_at) + answer_time()
    )
    if refund.state in OPEN_REFUNDS and refund.state != RefundState.CREATED and not is_being_sent:
        _ask(refund, payment, attempt, source=source)


def inquire(refund_id: uuid.UUID) -> Outcome:
    """What the provider says about the refund now; nothing is applied."""
    refund, payment, attempt = _read(refund_id)
    return _inquire(refund, payment, attempt)[0]


def report_failing(refund_id: uuid.UUID, error: str) -> None:
    """The job fails again and again: a person must look."""
    now = clock.now()

    def work(session: Session) -> None:
        locked = outcomes.lock_refund(session, refund_id)
        if locked.refund.state in OPEN_REFUNDS:
            reviews.open_review(
                session, locked.payment, ReviewReason.REFUND_UNKNOWN, source="system", now=now
            )

    transaction(work)
    log.error("refund.job_failing", refund=str(refund_id), error=error)


def _call(refund: Refund, payment: Payment, attempt: PaymentAttempt) -> Outcome:
    is_late = clock.now() > (refund.sent_at or refund.created_at) + answer_time() / 4
    if refund.state != RefundState.SENDING or is_late:
        # A refund is sent once, by the one who made it `sending`: what we do not send, nobody has sent.
        return NotSent("There was no time left to ask the provider.", code="too_late")
    try:
        provider = provider_accounts.of_attempt(attempt)
    except GatewayError as error:
        return NotSent(error.message, code=error.code)  # its account is gone: nothing was sent
    try:
        request = RefundRequest(
            reference=refund.reference, amount=Money(refund.amount, refund.currency),
            charge=charge_reference(payment, attempt, provider), reason=refund.reason or "Refund",
            callback_url=callback_url(attempt.provider, refund.callback_token, provider),
            refunded_before=refund.refunded_before,
        )  # fmt: skip
        return provider.refund(request)
    except ProviderError as error:
        return error
    except Exception as error:
        log.exception("refund.adapter_failed", refund=str(refund.id), provider=attempt.provider)
        return OutcomeUnknown(code=type(error).__name__)


def _start_and_send(refund_id: uuid.UUID) -> None:
    now = clock.now()

    def start_sending(session: Session) -> bool:
        locked = outcomes.lock_refund(session, refund_id)
        refund = locked.refund
        if refund.state == RefundState.SENDING and refund.sent_at == now:
            return True  # committed before; only the acknowledgement was lost
        if refund.state != RefundState.CREATED:
            return False
        if now - refund.created_at > UNSENT_LIFE:
            result = Result(State.FAILED, code="not_sent", message="The refund could not be sent in time.")
            outcomes.apply_outcome(session, refund_id, result, source="system", now=now)
            return False
        move_refund(refund, RefundState.SENDING, now=now)
        refund.sent_at = now
        return True

    if transaction(start_sending):
        send(refund_id)


def _ask(refund: Refund, payment: Payment, attempt: PaymentAttempt, *, source: str = "inquiry") -> None:
    outcome, horizon = _inquire(refund, payment, attempt)
    transaction(lambda s: _apply(s, refund.id, outcome, horizon=horizon, source=source))


def _inquire(refund: Refund, payment: Payment, attempt: PaymentAttempt) -> tuple[Outcome, timedelta]:
    """What the provider says, and for how long it may still tell about a refund whose outcome is unknown."""
    try:
        provider = provider_accounts.of_attempt(attempt)
    except GatewayError as error:
        return OutcomeUnknown(error.message, code=error.code), timedelta.max
    try:
        outcome: Outcome = provider.inquire_refund(refund_reference(refund, payment, attempt, provider))
    except ProviderError as error:
        outcome = error
    return outcome, provider.capabilities.horizon


def refund_reference(
    refund: Refund, payment: Payment, attempt: PaymentAttempt, provider: Provider
) -> RefundReference:
    """What identifies the refund to its provider."""
    return RefundReference(
        reference=refund.reference, amount=Money(refund.amount, refund.currency),
        charge=charge_reference(payment, attempt, provider), sent_at=refund.sent_at or refund.created_at,
        provider_reference=refund.provider_reference, refunded_before=refund.refunded_before,
        callback_url=callback_url(attempt.provider, refund.callback_token, provider),
    )  # fmt: skip


def _apply(
    session: Session, refund_id: uuid.UUID, outcome: Outcome, *, horizon: timedelta, source: str
) -> None:
    now = clock.now()
    locked = outcomes.lock_refund(session, refund_id)
    if locked.refund.state == RefundState.SENDING:
        locked = outcomes.apply_outcome(session, refund_id, OutcomeUnknown(), source=source, now=now)
    locked.refund.inquiries += 1
    if isinstance(outcome, Result):
        outcomes.apply_outcome(session, refund_id, outcome, source=source, now=now)
    else:
        log.warning("refund.inquiry_failed", refund=str(refund_id), code=outcome.code)
    _judge_age(session, locked, outcome, horizon=horizon, now=now)


def _judge_age(
    session: Session, locked: LockedRefund, outcome: Outcome, *, horizon: timedelta, now: datetime
) -> None:
    refund = locked.refund
    age = now - (refund.sent_at or refund.created_at)
    if refund.state == RefundState.PENDING and age > STUCK_AFTER:
        reviews.open_review(session, locked.payment, ReviewReason.REFUND_STUCK, source="inquiry", now=now)
    if refund.state != RefundState.UNKNOWN:
        return
    is_missing = isinstance(outcome, Result) and outcome.state is State.NOT_FOUND
    if is_missing and age > horizon:
        result = Result(State.FAILED, code="not_found", message="The provider never got this refund.")
        outcomes.apply_outcome(session, refund.id, result, source="inquiry", now=now)
    elif age > ALERT_AFTER:
        reviews.open_review(session, locked.payment, ReviewReason.REFUND_UNKNOWN, source="inquiry", now=now)


def _next(refund_id: uuid.UUID, now: datetime) -> datetime | None:
    refund, _, _ = _read(refund_id)
    if refund.state not in OPEN_REFUNDS:
        return None
    if refund.state == RefundState.SENDING:
        return (refund.sent_at or now) + answer_time()
    return now + timedelta(seconds=WAITS_S[min(refund.inquiries, len(WAITS_S) - 1)])


def _read(refund_id: uuid.UUID) -> tuple[Refund, Payment, PaymentAttempt]:
    with reading() as session:
        refund = session.get_one(Refund, refund_id)
        payment = session.get_one(Payment, refund.payment_id)
        return refund, payment, session.get_one(PaymentAttempt, refund.attempt_id)
