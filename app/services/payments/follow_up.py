"""Carries an attempt on until it is final: sends what was not sent, asks about what is open, knows when to give up.

It is a job made together with the attempt, so a crash at any point leaves it behind. Inquiries come at 5 s, 15 s, 1 min,
5 min, 15 min, then hourly; after ALERT_AFTER an unknown outcome is put before a person; at the provider's horizon only
what the provider clearly says ends an attempt (RELIABILITY, Unknown outcome).
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.orm import Session

from app import clock
from app.errors import GatewayError
from app.models.payment import AttemptState, Payment, PaymentAttempt
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import Kind, Provider, Result, State
from app.providers.errors import NO_PROVIDER_ID, NotSupported, OutcomeUnknown, ProviderError, WrongEnvironment
from app.services.payments import attempts, outcomes, reviews
from app.services.payments.attempts import answer_time, charge_reference
from app.services.payments.locks import LockedAttempt, lock_attempt
from app.services.payments.outcomes import Outcome
from app.services.payments.states import OPEN_ATTEMPTS, move_attempt
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.unit_of_work import reading, transaction

WAITS_S: Final = (5, 15, 60, 300, 900, 3600)
"""Before each inquiry, seconds after the one before; the last repeats."""

ALERT_AFTER: Final = timedelta(minutes=15)
MAX_SENDINGS: Final = 3

log = structlog.get_logger("payments")


def follow_up(attempt_id: uuid.UUID) -> datetime | None:
    """One step; when the next is due, None when the attempt is final. Safe to run at any moment, by anybody."""
    attempt, payment = _read(attempt_id)
    now = clock.now()
    if attempt.state not in OPEN_ATTEMPTS:
        return None
    if attempt.state == AttemptState.SENDING and attempt.sent_at and now < attempt.sent_at + answer_time():
        return attempt.sent_at + answer_time()
    with bulkhead.slot(attempt.provider) as has_slot:
        if not has_slot:
            return bulkhead.retry_at(now, since=attempt.created_at)
        if attempt.state == AttemptState.CREATED:
            return _send(attempt_id)
        return _ask(attempt, payment)


def report_failing(attempt_id: uuid.UUID, error: str) -> None:
    """The job fails again and again, by a setting that is gone or a fault of ours: a person must look."""
    now = clock.now()

    def work(session: Session) -> None:
        locked = lock_attempt(session, attempt_id)
        if locked.attempt.state in OPEN_ATTEMPTS:
            reviews.open_review(
                session, locked.payment, ReviewReason.INQUIRY_FAILED, source="system", now=now
            )

    transaction(work)
    log.error("payment.job_failing", attempt=str(attempt_id), error=error)


def poll(attempt_id: uuid.UUID) -> Payment:
    """Ask the provider now (verify, reconcile). Raises ProviderError when it cannot tell; final attempts are not asked."""
    attempt, payment = _read(attempt_id)
    if attempt.state not in OPEN_ATTEMPTS or attempt.state == AttemptState.CREATED:
        return payment
    if (
        attempt.state == AttemptState.SENDING
        and clock.now() < (attempt.sent_at or attempt.created_at) + answer_time()
    ):
        return payment
    outcome = inquire(payment, attempt)
    if isinstance(outcome, WrongEnvironment):
        transaction(lambda s: _apply(s, attempt_id, outcome, source="inquiry"))
    if isinstance(outcome, ProviderError):
        raise outcome
    return transaction(lambda s: _apply(s, attempt_id, outcome, source="inquiry")).payment


def inquire(payment: Payment, attempt: PaymentAttempt, *, provider_reference: str | None = None) -> Outcome:
    """What the provider says about the attempt, in whatever way it can be asked.

    provider_reference: an id to ask by where we have none of our own, from news that may be invented: what the
    provider answers is believed only as far as it names our reference.
    """
    try:
        provider = provider_accounts.of_attempt(attempt)
        handle = charge_reference(payment, attempt, provider)
        if handle.provider_reference is None and provider_reference is not None:
            return provider.inquire(replace(handle, provider_reference=provider_reference))
        if can_inquire(attempt, provider):
            return provider.inquire(handle)
        if provider.capabilities.has_statement:
            return _from_statement(payment, attempt, provider)
    except GatewayError as error:
        return OutcomeUnknown(error.message, code=error.code)
    except ProviderError as error:
        return error
    return OutcomeUnknown("There is nothing to ask this provider by.", code=NO_PROVIDER_ID)


def can_inquire(attempt: PaymentAttempt, provider: Provider) -> bool:
    return Kind.PAYMENT in provider.capabilities.inquiry_kinds and (
        attempt.provider_reference is not None or provider.capabilities.can_inquire_by_reference
    )


def _from_statement(payment: Payment, attempt: PaymentAttempt, provider: Provider) -> Outcome:
    """The provider's list of collections, searched for the attempt's label."""
    start = (attempt.sent_at or attempt.created_at) - timedelta(minutes=5)
    if clock.now() - start > provider.capabilities.statement_reach:
        return OutcomeUnknown("The provider's statement does not go back so far.", code=NO_PROVIDER_ID)
    lines = [
        line
        for line in provider.statement(start, clock.now())
        if line.short_reference == attempt.short_reference
    ]
    asked = Money(payment.amount, payment.currency)
    fitting = [line for line in lines if line.amount == asked]
    if len(fitting) == 1:
        return Result(State.SUCCEEDED, receipt=fitting[0].receipt, amount=fitting[0].amount)
    if lines:
        # Anybody can pay in by the label they read on a screen: a person tells such lines apart.
        return OutcomeUnknown(
            "The provider's statement is not clear about this payment.", code="statement_unclear"
        )
    return Result(State.NOT_FOUND)


def _send(attempt_id: uuid.UUID) -> datetime | None:
    now = clock.now()

    def start_sending(session: Session) -> int | None:
        """The number of this sending; None when it is not ours to send."""
        locked = lock_attempt(session, attempt_id)
        attempt = locked.attempt
        if attempt.state == AttemptState.SENDING and attempt.sent_at == now:
            return attempt.sendings  # committed before; only the acknowledgement was lost
        if attempt.state not in (AttemptState.CREATED, AttemptState.UNKNOWN) or _is_too_late(
            session, locked, now=now
        ):
            return None
        move_attempt(attempt, AttemptState.SENDING, now=now)
        attempt.sent_at = now
        attempt.sendings += 1
        return attempt.sendings

    sending = transaction(start_sending)
    if sending is not None:
        attempts.send(attempt_id, sending=sending)
    return _next(attempt_id, now)


def _is_too_late(session: Session, locked: LockedAttempt, *, now: datetime) -> bool:
    """A customer is not asked for money long after the merchant did. What was never sent ends here."""
    attempt = locked.attempt
    capabilities = provider_accounts.of_attempt(attempt).capabilities
    if now - attempt.created_at <= min(capabilities.expires_after, capabilities.horizon):
        return False
    if attempt.state == AttemptState.CREATED:
        outcomes.expire_attempt(
            session, locked, code="not_sent", reason="The payment could not be sent in time.", source="system",
            now=now,
        )  # fmt: skip
    return True


def _ask(attempt: PaymentAttempt, payment: Payment) -> datetime | None:
    """An attempt that is pending or unknown (or was left in `sending` by a process that died)."""
    provider = provider_accounts.of_attempt(attempt)
    if _must_send_again(attempt, provider):
        _mark_unknown(attempt.id)
        return _send(attempt.id)
    outcome = inquire(payment, attempt)
    locked = transaction(lambda s: _apply(s, attempt.id, outcome, source="inquiry", is_counted=True))
    if (
        isinstance(outcome, Result)
        and outcome.state is State.NOT_FOUND
        and locked.attempt.state == AttemptState.UNKNOWN
        and provider.capabilities.is_resend_safe
        and locked.attempt.sendings < MAX_SENDINGS
    ):
        # It never arrived. The same reference again is the same charge.
        return _send(attempt.id)
    if locked.attempt.state in OPEN_ATTEMPTS:
        _judge_age(attempt.id, provider, outcome)
    return _next(attempt.id, clock.now())


def _must_send_again(attempt: PaymentAttempt, provider: Provider) -> bool:
    """The answer was lost and there is nothing to ask by, but the same key again is safe and brings the answer."""
    return (
        attempt.state in (AttemptState.SENDING, AttemptState.UNKNOWN)
        and not can_inquire(attempt, provider)
        and provider.capabilities.is_resend_safe
        and attempt.sendings < MAX_SENDINGS
        and clock.now() - attempt.created_at
        < min(provider.capabilities.expires_after, provider.capabilities.horizon)
    )


def _mark_unknown(attempt_id: uuid.UUID) -> None:
    transaction(lambda s: _apply(s, attempt_id, OutcomeUnknown(), source="inquiry"))


def _apply(
    session: Session, attempt_id: uuid.UUID, outcome: Outcome, *, source: str, is_counted: bool = False
) -> LockedAttempt:
    """is_counted: the job asked, so that its next wait is a longer one."""
    now = clock.now()
    locked = lock_attempt(session, attempt_id)
    if locked.attempt.state == AttemptState.SENDING:
        # The process that sent it is gone (drive waits for answer_time): its answer is lost.
        locked = outcomes.apply_outcome(session, attempt_id, OutcomeUnknown(), source=source, now=now)
    locked.attempt.inquiries += int(is_counted)
    if isinstance(outcome, ProviderError):
        # A refusal to answer says nothing about the charge; an answer of another environment is for a person.
        log.warning("payment.inquiry_failed", attempt=str(attempt_id), code=outcome.code)
        if not isinstance(outcome, WrongEnvironment):
            return locked
    return outcomes.apply_outcome(session, attempt_id, outcome, source=source, now=now)


def _judge_age(attempt_id: uuid.UUID, provider: Provider, outcome: Outcome) -> None:
    """What has been open for too long is given up when the provider clearly says so, else shown to a person."""
    if isinstance(outcome, WrongEnvironment):
        return  # a person is shown it already, whatever its age
    capabilities, now = provider.capabilities, clock.now()
    state = outcome.state if isinstance(outcome, Result) else None

    def work(session: Session) -> None:
        locked = lock_attempt(session, attempt_id)
        attempt = locked.attempt
        age = now - (attempt.sent_at or attempt.created_at)
        if attempt.state == AttemptState.PENDING and state in (State.PENDING, State.NOT_FOUND):
            if age > capabilities.expires_after:
                outcomes.expire_attempt(
                    session, locked, code="expired", reason="The customer did not pay in time.",
                    source="inquiry", now=now,
                )  # fmt: skip
        elif (
            attempt.state == AttemptState.UNKNOWN and state is State.NOT_FOUND and age > capabilities.horizon
        ):
            outcomes.expire_attempt(
                session, locked, code="not_found", reason="The provider never got this payment.",
                source="inquiry", now=now,
            )  # fmt: skip
        elif attempt.state == AttemptState.PENDING and state is None and age > capabilities.expires_after:
            reviews.open_review(
                session, locked.payment, ReviewReason.INQUIRY_FAILED, source="inquiry", now=now
            )
        elif attempt.state == AttemptState.UNKNOWN and age > ALERT_AFTER:
            has_no_id = isinstance(outcome, OutcomeUnknown) and outcome.code == NO_PROVIDER_ID
            reason = ReviewReason.NO_PROVIDER_ID if has_no_id else ReviewReason.OUTCOME_UNKNOWN
            reviews.open_review(session, locked.payment, reason, source="inquiry", now=now)

    if (
        state is State.PENDING
        and capabilities.can_cancel
        and _is_older(attempt_id, capabilities.expires_after)
    ):
        _cancel_at_provider(attempt_id, provider)
    transaction(work)


def _cancel_at_provider(attempt_id: uuid.UUID, provider: Provider) -> None:
    """So that the customer cannot pay any more what is about to be given up."""
    attempt, payment = _read(attempt_id)
    try:
        outcome = provider.cancel(charge_reference(payment, attempt, provider))
    except NotSupported:
        return
    except ProviderError as error:
        log.warning("payment.cancel_failed", attempt=str(attempt_id), code=error.code)
        return
    transaction(lambda s: outcomes.apply_outcome(s, attempt_id, outcome, source="inquiry", now=clock.now()))


def _is_older(attempt_id: uuid.UUID, age: timedelta) -> bool:
    attempt, _ = _read(attempt_id)
    return clock.now() - (attempt.sent_at or attempt.created_at) > age


def _next(attempt_id: uuid.UUID, now: datetime) -> datetime | None:
    attempt, payment = _read(attempt_id)
    if attempt.state not in OPEN_ATTEMPTS:
        return None
    if attempt.state == AttemptState.SENDING:
        return (attempt.sent_at or now) + answer_time()
    if attempt.state == AttemptState.UNKNOWN and payment.review and _is_past_horizon(attempt, now):
        return None  # a person decides; `flask reconcile` asks again
    return now + timedelta(seconds=WAITS_S[min(attempt.inquiries, len(WAITS_S) - 1)])


def _is_past_horizon(attempt: PaymentAttempt, now: datetime) -> bool:
    provider = provider_accounts.of_attempt(attempt)
    return now - (attempt.sent_at or attempt.created_at) > provider.capabilities.horizon


def _read(attempt_id: uuid.UUID) -> tuple[PaymentAttempt, Payment]:
    with reading() as session:
        attempt = session.get_one(PaymentAttempt, attempt_id)
        return attempt, session.get_one(Payment, attempt.payment_id)
