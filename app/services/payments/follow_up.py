"""Follows a payment's attempt up until it is final (provider_operations.py).

Queries come at 5 s, 15 s, 1 min, 5 min, 15 min, then hourly; after ALERT_AFTER an unknown outcome is put under review; at
the provider's horizon an attempt ends only when the provider clearly says that nothing was paid.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog

from app import clock
from app.errors import GatewayError
from app.models.payment import AttemptState, Payment, PaymentAttempt
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import Capabilities, FailureCode, Kind, Provider, ProviderResult, State
from app.providers.errors import (
    NO_PROVIDER_ID,
    Declined,
    NotSupported,
    OutcomeUnknown,
    ProviderError,
    RequestRejected,
    UnconfirmedFailure,
    WrongEnvironment,
)
from app.services.payments import attempts, claims, outcomes, reviews
from app.services.payments import rows as payment_rows
from app.services.payments.attempts import PaymentOperation, charge_reference, operation_of
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import COLLECTED, OPEN_ATTEMPTS, move_attempt
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_operations import (
    ALERT_AFTER,
    WAITS_UNTIL_ALERT_S,
    Outcome,
    Phase,
    ProviderOperations,
)
from app.services.write_sets import store

STUCK_AFTER: Final = timedelta(days=14)
"""What the customer has paid, and the provider has not collected, is put under review after so long: the slowest bank debits
take ten working days."""

MAX_SENDINGS: Final = 3

NOT_IN_TIME: Final = "The customer did not pay in time."
"""Why an attempt whose page or prompt has ended unpaid failed, for operators."""

ENDED_FOR_AGE: Final = (FailureCode.NOT_SENT, FailureCode.TIMEOUT, "expired", "not_found")
"""Error codes of attempts that only the clock has ended; the last two are of older rows."""

log = structlog.get_logger("payments")


class PaymentAttempts(ProviderOperations[PaymentRows, PaymentAttempt]):
    """Attempts to collect payments."""

    noun = "payment"
    waits_s = (*WAITS_UNTIL_ALERT_S, 3600)

    def read(self, operation_id: uuid.UUID) -> PaymentOperation:
        return operation_of(payment_rows.read(attempt_id=operation_id), operation_id)

    def operation(self, rows: PaymentRows, operation_id: uuid.UUID) -> PaymentOperation:
        return operation_of(rows, operation_id)

    def start_sending(self, writes: PaymentWrites, operation_id: uuid.UUID) -> int | None:
        attempt = writes.rows.attempt(operation_id)
        is_sendable = attempt.state in (AttemptState.CREATED, AttemptState.UNKNOWN)
        if not is_sendable or _is_too_late(writes, attempt):
            return None
        move_attempt(attempt, AttemptState.SENDING, now=writes.now)
        attempt.sent_at = writes.now
        attempt.sendings += 1
        return attempt.sendings

    def send(self, operation: PaymentOperation, sending: int) -> PaymentOperation:
        sent = attempts.send(operation.rows, operation.id, sending=sending)
        return operation_of(sent.rows, operation.id)

    def inquire(self, operation: PaymentOperation) -> Outcome:
        return inquire(operation.rows.payment, operation.runs_on)

    def decide(self, writes: PaymentWrites, operation_id: uuid.UUID, outcome: Outcome) -> None:
        outcomes.decide(writes, writes.rows.attempt(operation_id), outcome)

    def count_inquiry(self, writes: PaymentWrites, operation_id: uuid.UUID) -> None:
        writes.rows.attempt(operation_id).inquiries += 1

    def must_resend(self, operation: PaymentOperation) -> bool:
        attempt = operation.runs_on
        if operation.phase not in (Phase.SENDING, Phase.UNKNOWN) or attempt.sendings >= MAX_SENDINGS:
            return False
        provider = provider_accounts.of_attempt(attempt)
        capabilities = provider.capabilities
        if not clock.may_judge_ages():
            return False
        is_young = clock.now() - attempt.created_at < min(capabilities.expires_after, capabilities.horizon)
        return is_young and capabilities.is_resend_safe and not can_inquire(attempt, provider)

    def may_resend(self, operation: PaymentOperation, outcome: Outcome) -> bool:
        return (
            isinstance(outcome, ProviderResult)
            and outcome.state is State.NOT_FOUND
            and operation.phase is Phase.UNKNOWN
            and operation.runs_on.sendings < MAX_SENDINGS
            and provider_accounts.of_attempt(operation.runs_on).capabilities.is_resend_safe
        )

    def judge_age(self, operation: PaymentOperation, outcome: Outcome) -> PaymentOperation:
        if isinstance(outcome, WrongEnvironment) or not clock.may_judge_ages():
            return operation  # under review already, whatever its age; or its age is not known
        provider = provider_accounts.of_attempt(operation.runs_on)
        is_expired = clock.now() - operation.since > provider.capabilities.expires_after
        is_pending = isinstance(outcome, ProviderResult) and outcome.state is State.PENDING
        is_payable = False
        if is_pending and provider.capabilities.can_cancel and is_expired:
            operation, is_payable = self._close_at_provider(operation, provider)
        return self.change(
            operation,
            lambda writes: _judge_age(
                writes,
                writes.rows.attempt(operation.id),
                outcome,
                provider.capabilities,
                is_payable=is_payable,
            ),
            actor="inquiry",
        )

    def _close_at_provider(
        self, operation: PaymentOperation, provider: Provider
    ) -> tuple[PaymentOperation, bool]:
        """So that the customer can no longer pay an attempt that is about to expire. Whether it may still be paid: the provider
        refused, or was not reached and is asked again for as long as the customer had."""
        try:
            outcome = provider.cancel(charge_reference(operation.rows.payment, operation.runs_on, provider))
        except NotSupported:
            return operation, False
        except ProviderError as error:
            log.warning("payment.cancel_failed", attempt=str(operation.id), code=error.code)
            is_refused = isinstance(error, (RequestRejected, Declined))
            is_patient = clock.now() - operation.since <= 2 * provider.capabilities.expires_after
            return operation, is_refused or is_patient
        if outcome.state is State.CANCELLED:
            timeout = FailureCode.TIMEOUT
            outcome = replace(outcome, state=State.FAILED, code=timeout, message=NOT_IN_TIME, failure=timeout)
        after = self.change(
            operation, lambda writes: self.decide(writes, operation.id, outcome), actor="inquiry"
        )
        return after, outcome.state in (State.PENDING, State.IN_TRANSIT)

    def is_parked(self, operation: PaymentOperation, now: datetime) -> bool:
        if operation.phase is not Phase.UNKNOWN or not operation.rows.payment.open_reviews:
            return False
        if not clock.may_judge_ages():
            return False
        return now - operation.since > provider_accounts.of_attempt(operation.runs_on).capabilities.horizon


_operations: Final = PaymentAttempts()


def follow_up(attempt_id: uuid.UUID) -> datetime | None:
    """One step (provider_operations.py)."""
    return _operations.follow_up(attempt_id)


def report_failing(attempt_id: uuid.UUID, error: str) -> None:
    """The job has failed many times, by a setting that is gone or a fault of ours: open a review."""

    def decide(writes: PaymentWrites) -> None:
        if writes.rows.attempt(attempt_id).state in OPEN_ATTEMPTS:
            reviews.open_review(writes, ReviewReason.INQUIRY_FAILED)

    store.change(payment_rows.read(attempt_id=attempt_id), decide, actor="system")
    log.error("payment.job_failing", attempt=str(attempt_id), error=error)


@dataclass(frozen=True, slots=True)
class Polled:
    """The payment after a query. failed_try: the provider's answer, where the customer's last try has failed and the page takes
    another, and no callback contradicts it."""

    rows: PaymentRows
    failed_try: ProviderResult | None = None


def poll(attempt_id: uuid.UUID) -> Polled:
    """Query the provider now (verify, reconcile). Raises ProviderError when the outcome is unknown; final attempts are not queried."""
    operation = _operations.read(attempt_id)
    if operation.phase in (Phase.FINAL, Phase.CREATED) or operation.is_being_sent(clock.now()):
        return Polled(operation.rows)
    outcome = _operations.inquire(operation)
    if not isinstance(outcome, ProviderError) or isinstance(outcome, (WrongEnvironment, UnconfirmedFailure)):
        operation = _operations.apply_inquiry(operation, outcome, source="inquiry")
    if isinstance(outcome, ProviderError) and operation.phase is not Phase.FINAL:
        raise outcome
    if isinstance(outcome, ProviderResult) and outcome.has_failed_try:
        is_open = operation.phase is Phase.PENDING and not claims.has_claim(operation.runs_on)
        return Polled(operation.rows, outcome if is_open else None)
    return Polled(operation.rows)


def poll_ended(attempt_id: uuid.UUID) -> bool:
    """Query the provider about an attempt that was ended for its age. Whether it has collected money after all, which is then in
    suspense (outcomes.py). Raises ProviderError when the outcome is unknown."""
    operation = _operations.read(attempt_id)
    outcome = _operations.inquire(operation)
    if isinstance(outcome, ProviderError):
        raise outcome
    if outcome.state is State.SUCCEEDED:
        operation = _operations.apply_inquiry(operation, outcome, source="inquiry")
    return operation.runs_on.state in COLLECTED


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
            return _from_list(payment, attempt, provider) or provider.inquire(charge)
        if provider.capabilities.has_statement:
            return _from_statement(payment, attempt, provider)
    except GatewayError as error:
        return OutcomeUnknown(error.message, code=error.code)
    except ProviderError as error:
        return error
    return OutcomeUnknown("There is no provider id to query.", code=NO_PROVIDER_ID)


def look_for_receipt(rows: PaymentRows, attempt: PaymentAttempt) -> PaymentRows:
    """Query the provider for the receipt of a collected attempt that has none, and keep it; the rows as they are then. Not
    finding it is no error."""
    payment = rows.payment
    try:
        provider = provider_accounts.of_attempt(attempt)
        in_statement = provider.capabilities.has_statement
        outcome = _from_statement(payment, attempt, provider) if in_statement else inquire(payment, attempt)
    except (GatewayError, ProviderError) as error:
        log.warning("payment.receipt_not_found", attempt=str(attempt.id), code=error.code)
        return rows
    receipt = outcome.receipt if isinstance(outcome, ProviderResult) else None
    if receipt is None:
        return rows
    return store.change(
        rows,
        lambda writes: outcomes.keep_receipt(writes, writes.rows.attempt(attempt.id), receipt),
        actor="inquiry",
    ).rows


def can_inquire(attempt: PaymentAttempt, provider: Provider) -> bool:
    return Kind.PAYMENT in provider.capabilities.inquiry_kinds and (
        attempt.provider_reference is not None or provider.capabilities.can_inquire_by_reference
    )


def _from_list(payment: Payment, attempt: PaymentAttempt, provider: Provider) -> ProviderResult | None:
    """The collection in the provider's statement, where a callback about the attempt contradicts the provider's answers."""
    if not (claims.has_claim(attempt) and provider.capabilities.has_statement):
        return None
    found = _from_statement(payment, attempt, provider)
    if not isinstance(found, ProviderResult) or found.state is not State.SUCCEEDED:
        return None
    return found if attempt.receipt in (None, found.receipt) else None


def _from_statement(payment: Payment, attempt: PaymentAttempt, provider: Provider) -> Outcome:
    """The provider's list of collections, searched for the attempt's short reference.

    One with the merchant's reference may be this payment's, sent before the account had a statement, or another's."""
    start, now = (attempt.sent_at or attempt.created_at) - timedelta(minutes=5), clock.now()
    if start > now:
        # It was sent while the database's clock was ahead.
        start = now - provider.capabilities.statement_reach
    if now - start > provider.capabilities.statement_reach:
        return OutcomeUnknown("The provider's statement does not go back so far.", code=NO_PROVIDER_ID)
    listed = provider.statement(start, now)
    lines = [line for line in listed if line.short_reference == attempt.short_reference]
    is_named = any(line.short_reference == payment.reference for line in listed)
    requested = Money(payment.amount, payment.currency)
    matching = [line for line in lines if line.amount == requested]
    if len(matching) == 1:
        return ProviderResult(State.SUCCEEDED, receipt=matching[0].receipt, amount=matching[0].amount)
    if lines or is_named:
        # Anyone can pay with the short reference they read on a screen: an operator tells such lines apart.
        return OutcomeUnknown(
            "The provider's statement is not clear about this payment.", code="statement_unclear"
        )
    return ProviderResult(State.NOT_FOUND)


def _is_too_late(writes: PaymentWrites, attempt: PaymentAttempt) -> bool:
    """Whether the merchant's request is too old to be sent, or its age is not known. One that was never sent ends here if it is."""
    if not clock.may_judge_ages():
        return True
    capabilities = provider_accounts.of_attempt(attempt).capabilities
    if writes.now - attempt.created_at <= min(capabilities.expires_after, capabilities.horizon):
        return False
    if attempt.state == AttemptState.CREATED:
        reason = "The payment could not be sent in time."
        outcomes.expire_attempt(writes, attempt, FailureCode.NOT_SENT, reason=reason)
    return True


def _judge_age(
    writes: PaymentWrites,
    attempt: PaymentAttempt,
    outcome: Outcome,
    capabilities: Capabilities,
    *,
    is_payable: bool,
) -> None:
    """Expire what has been open for too long where the provider clearly says so, else open a review. What a callback has
    contradicted is under review already."""
    if claims.has_claim(attempt):
        return
    age = writes.now - (attempt.sent_at or attempt.created_at)
    match attempt.state:
        case AttemptState.PENDING:
            if age > capabilities.expires_after:
                _judge_pending(writes, attempt, outcome, age, is_payable=is_payable)
        case AttemptState.UNKNOWN:
            _judge_unknown(writes, attempt, outcome, age, horizon=capabilities.horizon)
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
            assert_never(attempt.state)


def _judge_pending(
    writes: PaymentWrites, attempt: PaymentAttempt, outcome: Outcome, age: timedelta, *, is_payable: bool
) -> None:
    """The customer's time to pay is over. What is on its way, or can still be paid, is never ended by its age."""
    if not isinstance(outcome, ProviderResult):
        reviews.open_review(writes, ReviewReason.INQUIRY_FAILED)
    elif outcome.state is State.IN_TRANSIT or is_payable:
        if age > STUCK_AFTER:
            reviews.open_review(writes, ReviewReason.PAYMENT_STUCK)
    elif outcome.state in (State.PENDING, State.NOT_FOUND):
        outcomes.expire_attempt(writes, attempt, FailureCode.TIMEOUT, reason=NOT_IN_TIME)


def _judge_unknown(
    writes: PaymentWrites, attempt: PaymentAttempt, outcome: Outcome, age: timedelta, *, horizon: timedelta
) -> None:
    """It is not known whether the provider has the payment."""
    is_missing = isinstance(outcome, ProviderResult) and outcome.state is State.NOT_FOUND
    if is_missing and age > horizon:
        reason = "The provider never got this payment."
        outcomes.expire_attempt(writes, attempt, FailureCode.NOT_SENT, reason=reason)
    elif age > ALERT_AFTER:
        has_no_id = isinstance(outcome, OutcomeUnknown) and outcome.code == NO_PROVIDER_ID
        reviews.open_review(
            writes, ReviewReason.NO_PROVIDER_ID if has_no_id else ReviewReason.OUTCOME_UNKNOWN
        )
