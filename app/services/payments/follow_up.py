"""Follows a payment's attempt up until it is final (provider_operations.py).

Queries come at 5 s, 15 s, 1 min, 5 min, 15 min, then hourly; after ALERT_AFTER an unknown outcome is put under review; at
the provider's horizon an attempt ends only when the provider clearly says that nothing was paid.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog
from sqlalchemy.orm import Session

from app import clock
from app.errors import GatewayError
from app.models.payment import AttemptState, Payment, PaymentAttempt
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import Capabilities, Kind, Provider, ProviderResult, State
from app.providers.errors import NO_PROVIDER_ID, NotSupported, OutcomeUnknown, ProviderError, WrongEnvironment
from app.services.payments import attempts, outcomes, reviews
from app.services.payments.attempts import charge_reference, operation_of, read_attempt
from app.services.payments.locks import LockedAttempt, lock_attempt
from app.services.payments.states import OPEN_ATTEMPTS, move_attempt
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_operations import Operation, Outcome, Phase, ProviderOperations
from app.unit_of_work import transaction

ALERT_AFTER: Final = timedelta(minutes=15)
MAX_SENDINGS: Final = 3

log = structlog.get_logger("payments")

AttemptOperation = Operation[tuple[Payment, PaymentAttempt]]


class PaymentAttempts(ProviderOperations[tuple[Payment, PaymentAttempt]]):
    """Attempts to collect payments."""

    noun = "payment"
    waits_s = (5, 15, 60, 300, 900, 3600)

    def read(self, operation_id: uuid.UUID) -> AttemptOperation:
        return operation_of(*read_attempt(operation_id))

    def lock(self, session: Session, operation_id: uuid.UUID) -> AttemptOperation:
        locked = lock_attempt(session, operation_id)
        return operation_of(locked.payment, locked.attempt)

    def start_sending(self, session: Session, operation_id: uuid.UUID, *, now: datetime) -> int | None:
        locked = lock_attempt(session, operation_id)
        attempt = locked.attempt
        is_sendable = attempt.state in (AttemptState.CREATED, AttemptState.UNKNOWN)
        if not is_sendable or _is_too_late(session, locked, now=now):
            return None
        move_attempt(attempt, AttemptState.SENDING, now=now)
        attempt.sent_at = now
        attempt.sendings += 1
        return attempt.sendings

    def send(self, operation_id: uuid.UUID, sending: int) -> None:
        attempts.send(operation_id, sending=sending)

    def inquire(self, operation: AttemptOperation) -> Outcome:
        return inquire(*operation.subject)

    def apply(
        self, session: Session, operation_id: uuid.UUID, outcome: Outcome, *, source: str, now: datetime
    ) -> AttemptOperation:
        locked = outcomes.apply_outcome(session, operation_id, outcome, source=source, now=now)
        return operation_of(locked.payment, locked.attempt)

    def count_inquiry(self, operation: AttemptOperation) -> None:
        operation.attempt.inquiries += 1

    def must_resend(self, operation: AttemptOperation) -> bool:
        attempt = operation.attempt
        if operation.phase not in (Phase.SENDING, Phase.UNKNOWN) or attempt.sendings >= MAX_SENDINGS:
            return False
        provider = provider_accounts.of_attempt(attempt)
        capabilities = provider.capabilities
        is_young = clock.now() - attempt.created_at < min(capabilities.expires_after, capabilities.horizon)
        return is_young and capabilities.is_resend_safe and not can_inquire(attempt, provider)

    def may_resend(self, operation: AttemptOperation, outcome: Outcome) -> bool:
        return (
            isinstance(outcome, ProviderResult)
            and outcome.state is State.NOT_FOUND
            and operation.phase is Phase.UNKNOWN
            and operation.attempt.sendings < MAX_SENDINGS
            and provider_accounts.of_attempt(operation.attempt).capabilities.is_resend_safe
        )

    def judge_age(self, operation: AttemptOperation, outcome: Outcome) -> None:
        if isinstance(outcome, WrongEnvironment):
            return  # under review already, whatever its age
        provider, now = provider_accounts.of_attempt(operation.attempt), clock.now()
        age, state = now - operation.since, outcome.state if isinstance(outcome, ProviderResult) else None
        is_expired = age > provider.capabilities.expires_after
        if state is State.PENDING and provider.capabilities.can_cancel and is_expired:
            _cancel_at_provider(operation.id, provider)
        transaction(lambda s: _judge_age(s, operation.id, outcome, provider.capabilities, now=now))

    def is_parked(self, operation: AttemptOperation, now: datetime) -> bool:
        payment, attempt = operation.subject
        if operation.phase is not Phase.UNKNOWN or not payment.open_reviews:
            return False
        return now - operation.since > provider_accounts.of_attempt(attempt).capabilities.horizon


_operations: Final = PaymentAttempts()


def follow_up(attempt_id: uuid.UUID) -> datetime | None:
    """One step (provider_operations.py)."""
    return _operations.follow_up(attempt_id)


def report_failing(attempt_id: uuid.UUID, error: str) -> None:
    """The job has failed many times, by a setting that is gone or a fault of ours: open a review."""
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
    """Query the provider now (verify, reconcile). Raises ProviderError when the outcome is unknown; final attempts are not queried."""
    operation = _operations.read(attempt_id)
    payment, attempt = operation.subject
    if operation.phase in (Phase.FINAL, Phase.CREATED) or operation.is_being_sent(clock.now()):
        return payment
    outcome = inquire(payment, attempt)
    if not isinstance(outcome, ProviderError) or isinstance(outcome, WrongEnvironment):
        after = transaction(lambda s: _operations.apply_inquiry(s, attempt_id, outcome, source="inquiry"))
        payment, _ = after.subject
    if isinstance(outcome, ProviderError):
        raise outcome
    return payment


def inquire(payment: Payment, attempt: PaymentAttempt, *, provider_reference: str | None = None) -> Outcome:
    """The provider's answer about the attempt, in whatever way it can be queried.

    provider_reference: an id to query by where the attempt has none, from a callback that may be invented: the adapter
    accepts the answer only where it names our reference.
    """
    try:
        provider = provider_accounts.of_attempt(attempt)
        charge = charge_reference(payment, attempt, provider)
        if charge.provider_reference is None and provider_reference is not None:
            return provider.inquire(replace(charge, provider_reference=provider_reference))
        if can_inquire(attempt, provider):
            return provider.inquire(charge)
        if provider.capabilities.has_statement:
            return _from_statement(payment, attempt, provider)
    except GatewayError as error:
        return OutcomeUnknown(error.message, code=error.code)
    except ProviderError as error:
        return error
    return OutcomeUnknown("There is no provider id to query.", code=NO_PROVIDER_ID)


def look_for_receipt(payment: Payment, attempt: PaymentAttempt) -> None:
    """Query the provider for the receipt of a collected attempt that has none, and keep it. Not finding it is no error."""
    try:
        provider = provider_accounts.of_attempt(attempt)
        in_statement = provider.capabilities.has_statement
        outcome = _from_statement(payment, attempt, provider) if in_statement else inquire(payment, attempt)
    except (GatewayError, ProviderError) as error:
        log.warning("payment.receipt_not_found", attempt=str(attempt.id), code=error.code)
        return
    receipt = outcome.receipt if isinstance(outcome, ProviderResult) else None
    if receipt is not None:
        transaction(lambda s: outcomes.keep_receipt(s, attempt.id, receipt))


def can_inquire(attempt: PaymentAttempt, provider: Provider) -> bool:
    return Kind.PAYMENT in provider.capabilities.inquiry_kinds and (
        attempt.provider_reference is not None or provider.capabilities.can_inquire_by_reference
    )


def _from_statement(payment: Payment, attempt: PaymentAttempt, provider: Provider) -> Outcome:
    """The provider's list of collections, searched for the attempt's short reference."""
    start = (attempt.sent_at or attempt.created_at) - timedelta(minutes=5)
    if clock.now() - start > provider.capabilities.statement_reach:
        return OutcomeUnknown("The provider's statement does not go back so far.", code=NO_PROVIDER_ID)
    lines = [
        line
        for line in provider.statement(start, clock.now())
        if line.short_reference == attempt.short_reference
    ]
    requested = Money(payment.amount, payment.currency)
    matching = [line for line in lines if line.amount == requested]
    if len(matching) == 1:
        return ProviderResult(State.SUCCEEDED, receipt=matching[0].receipt, amount=matching[0].amount)
    if lines:
        # Anyone can pay with the short reference they read on a screen: an operator tells such lines apart.
        return OutcomeUnknown(
            "The provider's statement is not clear about this payment.", code="statement_unclear"
        )
    return ProviderResult(State.NOT_FOUND)


def _is_too_late(session: Session, locked: LockedAttempt, *, now: datetime) -> bool:
    """Whether the merchant's request is too old to be sent. An attempt that was never sent ends here."""
    attempt = locked.attempt
    capabilities = provider_accounts.of_attempt(attempt).capabilities
    if now - attempt.created_at <= min(capabilities.expires_after, capabilities.horizon):
        return False
    if attempt.state == AttemptState.CREATED:
        outcomes.expire_attempt(
            session,
            locked,
            code="not_sent",
            reason="The payment could not be sent in time.",
            source="system",
            now=now,
        )
    return True


def _judge_age(
    session: Session, attempt_id: uuid.UUID, outcome: Outcome, capabilities: Capabilities, *, now: datetime
) -> None:
    """Expire what has been open for too long where the provider clearly says so, else open a review."""
    locked = lock_attempt(session, attempt_id)
    age = now - (locked.attempt.sent_at or locked.attempt.created_at)
    match locked.attempt.state:
        case AttemptState.PENDING:
            if age > capabilities.expires_after:
                _judge_pending(session, locked, outcome, now=now)
        case AttemptState.UNKNOWN:
            _judge_unknown(session, locked, outcome, age, horizon=capabilities.horizon, now=now)
        case (
            AttemptState.CREATED
            | AttemptState.SENDING
            | AttemptState.SUCCEEDED
            | AttemptState.FAILED
            | AttemptState.CANCELLED
            | AttemptState.LATE
            | AttemptState.REVERSED
        ):
            return
        case _:
            assert_never(locked.attempt.state)


def _judge_pending(session: Session, locked: LockedAttempt, outcome: Outcome, *, now: datetime) -> None:
    """The customer's time to pay is over."""
    if not isinstance(outcome, ProviderResult):
        _review(session, locked, ReviewReason.INQUIRY_FAILED, now=now)
    elif outcome.state in (State.PENDING, State.NOT_FOUND):
        _expire(session, locked, "expired", "The customer did not pay in time.", now=now)


def _judge_unknown(
    session: Session,
    locked: LockedAttempt,
    outcome: Outcome,
    age: timedelta,
    *,
    horizon: timedelta,
    now: datetime,
) -> None:
    """It is not known whether the provider has the payment."""
    is_missing = isinstance(outcome, ProviderResult) and outcome.state is State.NOT_FOUND
    if is_missing and age > horizon:
        _expire(session, locked, "not_found", "The provider never got this payment.", now=now)
    elif age > ALERT_AFTER:
        has_no_id = isinstance(outcome, OutcomeUnknown) and outcome.code == NO_PROVIDER_ID
        reason = ReviewReason.NO_PROVIDER_ID if has_no_id else ReviewReason.OUTCOME_UNKNOWN
        _review(session, locked, reason, now=now)


def _expire(session: Session, locked: LockedAttempt, code: str, reason: str, *, now: datetime) -> None:
    outcomes.expire_attempt(session, locked, code=code, reason=reason, source="inquiry", now=now)


def _review(session: Session, locked: LockedAttempt, reason: ReviewReason, *, now: datetime) -> None:
    reviews.open_review(session, locked.payment, reason, source="inquiry", now=now)


def _cancel_at_provider(attempt_id: uuid.UUID, provider: Provider) -> None:
    """So that the customer can no longer pay an attempt that is about to expire."""
    payment, attempt = read_attempt(attempt_id)
    try:
        outcome = provider.cancel(charge_reference(payment, attempt, provider))
    except NotSupported:
        return
    except ProviderError as error:
        log.warning("payment.cancel_failed", attempt=str(attempt_id), code=error.code)
        return
    transaction(lambda s: outcomes.apply_outcome(s, attempt_id, outcome, source="inquiry", now=clock.now()))
