"""Follows a refund up until it is final (provider_operations.py).

A refund reaches the provider once: it is sent again only when nothing left the last time. Only the provider's clear answer
or an operator ends it; until then its amount stays held.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

import structlog

from app import clock
from app.errors import GatewayError
from app.models.job import JobKind
from app.models.payment import PaymentAttempt, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import FailureCode, Provider, ProviderResult, RefundReference, RefundRequest, State
from app.providers.errors import NOTHING_HAPPENED, NotSent, OutcomeUnknown, ProviderError, ReceiptMissing
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import reviews
from app.services.payments import rows as payment_rows
from app.services.payments.attempts import Finish, PaymentOperation, charge_reference
from app.services.payments.failures import MAX_TEXT
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import OPEN_REFUNDS, move_refund
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead, callback_tokens
from app.services.provider_operations import (
    ALERT_AFTER,
    FIRST_POLL_S,
    WAITS_UNTIL_ALERT_S,
    Operation,
    Outcome,
    Phase,
    ProviderOperations,
    call_provider,
)
from app.services.refunds import outcomes
from app.services.write_sets import store

STUCK_AFTER: Final = timedelta(days=7)
"""A refund that a provider accepted and has not completed by then is put under review."""

log = structlog.get_logger("refunds")


class Refunds(ProviderOperations[PaymentRows, PaymentAttempt]):
    """Refunds. A refund is sent once: a provider might act on a second request again."""

    noun = "refund"
    waits_s = (*WAITS_UNTIL_ALERT_S, 3600, 21_600)

    def read(self, operation_id: uuid.UUID) -> PaymentOperation:
        return self.operation(payment_rows.read(refund_id=operation_id), operation_id)

    def operation(self, rows: PaymentRows, operation_id: uuid.UUID) -> PaymentOperation:
        refund = rows.refund(operation_id)
        is_open = refund.state in OPEN_REFUNDS
        return Operation(
            refund.id,
            rows,
            rows.attempt(refund.attempt_id),
            Phase(refund.state) if is_open else Phase.FINAL,
            refund.created_at,
            refund.sent_at,
            refund.inquiries,
        )

    def start_sending(self, writes: PaymentWrites, operation_id: uuid.UUID) -> int | None:
        refund = writes.rows.refund(operation_id)
        if refund.state != RefundState.CREATED:
            return None
        move_refund(refund, RefundState.SENDING, now=writes.now)
        refund.sent_at = writes.now
        return 1

    def send(self, operation: PaymentOperation, sending: int) -> PaymentOperation:
        # No request waits for the answer any more, so that a provider that is away now is called again later.
        return _send(operation, postponed_by=NOTHING_HAPPENED)

    def inquire(self, operation: PaymentOperation) -> Outcome:
        try:
            provider = provider_accounts.of_attempt(operation.runs_on)
            return provider.inquire_refund(refund_reference(operation, provider))
        except GatewayError as error:
            return OutcomeUnknown(error.message, code=error.code)
        except ProviderError as error:
            return error

    def decide(self, writes: PaymentWrites, operation_id: uuid.UUID, outcome: Outcome) -> None:
        outcomes.decide(writes, operation_id, outcome)

    def count_inquiry(self, writes: PaymentWrites, operation_id: uuid.UUID) -> None:
        writes.rows.refund(operation_id).inquiries += 1

    def judge_age(self, operation: PaymentOperation, outcome: Outcome) -> PaymentOperation:
        if not clock.may_judge_ages():
            return operation
        is_missing = isinstance(outcome, ProviderResult) and outcome.state is State.NOT_FOUND
        horizon = provider_accounts.of_attempt(operation.runs_on).capabilities.horizon if is_missing else None
        return self.change(
            operation, lambda writes: _judge_age(writes, operation.id, missing_after=horizon), actor="inquiry"
        )


_operations: Final = Refunds()


def follow_up(refund_id: uuid.UUID) -> datetime | None:
    """One step (provider_operations.py)."""
    return _operations.follow_up(refund_id)


def send(rows: PaymentRows, refund_id: uuid.UUID, *, finish: Finish) -> None:
    """Call the provider of a refund that is `sending`, and apply the outcome. finish: adds to the last write set.

    One that could not be sent fails: the merchant is told so at once. One that lacks the payment's receipt waits for it.
    """
    _send(_operations.operation(rows, refund_id), postponed_by=(ReceiptMissing,), finish=finish)


def _send(
    operation: PaymentOperation,
    *,
    postponed_by: tuple[type[ProviderError], ...],
    finish: Finish | None = None,
) -> PaymentOperation:
    """postponed_by: the errors after which the refund is sent again later."""
    outcome, sent_at = _call(operation), operation.sent_at
    postponed = outcome if isinstance(outcome, postponed_by) else None
    if isinstance(postponed, ReceiptMissing):
        rows = payment_follow_up.look_for_receipt(operation.rows, operation.runs_on)
        operation = _operations.operation(rows, operation.id)
    reached = outcome if postponed is None else OutcomeUnknown(postponed.message, code=postponed.code)

    def decide(writes: PaymentWrites) -> None:
        if postponed is None:
            _settle(writes, operation.id, outcome)
        else:
            _postpone(writes, operation.id, postponed, sent_at=sent_at)
        if finish is not None:
            finish(writes, reached)

    return _operations.change(operation, decide, actor="answer")


def _settle(writes: PaymentWrites, refund_id: uuid.UUID, outcome: Outcome) -> None:
    outcomes.decide(writes, refund_id, outcome)
    if writes.rows.refund(refund_id).state in OPEN_REFUNDS:
        # Whatever the outcome is, unless it is final: the callback may never come.
        run_at = writes.now + timedelta(seconds=FIRST_POLL_S)
        writes.run_job_by(JobKind.REFUND_FOLLOW_UP, refund_id, run_at)


def _postpone(
    writes: PaymentWrites, refund_id: uuid.UUID, error: ProviderError, *, sent_at: datetime | None
) -> None:
    """Nothing was sent: the refund waits to be sent again. After ALERT_AFTER an operator is told."""
    refund, now = writes.rows.refund(refund_id), writes.now
    if refund.sent_at != sent_at or not move_refund(refund, RefundState.CREATED, now=now):
        return  # another process has gone on with it meanwhile
    refund.sent_at = None
    refund.error_code, refund.error_message = error.code, error.message[:MAX_TEXT]
    provider = writes.rows.attempt(refund.attempt_id).provider
    log.warning("refund.not_sent", refund=str(refund.id), provider=provider, code=error.code)
    if clock.may_judge_ages() and now - refund.created_at > ALERT_AFTER:
        reviews.open_review(writes, ReviewReason.REFUND_STUCK)
    run_at = bulkhead.retry_at(now, since=refund.created_at)
    writes.run_job_by(JobKind.REFUND_FOLLOW_UP, refund.id, run_at)


def poll(refund_id: uuid.UUID, *, source: str) -> RefundState:
    """Query the provider now, and apply the outcome; the refund's state then. Final refunds are not queried."""
    operation = _operations.read(refund_id)
    is_sent = operation.phase not in (Phase.FINAL, Phase.CREATED)
    if is_sent and not operation.is_being_sent(clock.now()):
        operation = _operations.query(operation, source=source)
    return operation.rows.refund(refund_id).state


def inquire(rows: PaymentRows, refund_id: uuid.UUID) -> Outcome:
    """The provider's answer about the refund now; nothing is applied."""
    return _operations.inquire(_operations.operation(rows, refund_id))


def report_failing(refund_id: uuid.UUID, error: str) -> None:
    """The job has failed many times: open a review."""

    def decide(writes: PaymentWrites) -> None:
        if writes.rows.refund(refund_id).state in OPEN_REFUNDS:
            reviews.open_review(writes, ReviewReason.REFUND_UNKNOWN)

    store.change(payment_rows.read(refund_id=refund_id), decide, actor="system")
    log.error("refund.job_failing", refund=str(refund_id), error=error)


def _call(operation: PaymentOperation) -> Outcome:
    if operation.phase is not Phase.SENDING:
        # A refund is sent once, by the process that moved it to `sending`: nothing was sent.
        return NotSent("There was no time left to call the provider.", code="too_late")
    return call_provider(operation, lambda provider: provider.refund(_refund_request(operation, provider)))


def _refund_request(operation: PaymentOperation, provider: Provider) -> RefundRequest:
    refund, attempt = operation.rows.refund(operation.id), operation.runs_on
    return RefundRequest(
        reference=refund.reference,
        amount=Money(refund.amount, refund.currency),
        charge=charge_reference(operation.rows.payment, attempt, provider),
        reason=refund.reason or "Refund",
        callback_url=callback_tokens.callback_url(refund, attempt.provider, provider),
        refunded_before=refund.refunded_before,
    )


def refund_reference(operation: PaymentOperation, provider: Provider) -> RefundReference:
    """What identifies the refund to its provider."""
    refund, attempt = operation.rows.refund(operation.id), operation.runs_on
    return RefundReference(
        reference=refund.reference,
        amount=Money(refund.amount, refund.currency),
        charge=charge_reference(operation.rows.payment, attempt, provider),
        sent_at=refund.sent_at or refund.created_at,
        provider_reference=refund.provider_reference,
        refunded_before=refund.refunded_before,
        callback_url=callback_tokens.callback_url(refund, attempt.provider, provider),
    )


def _judge_age(writes: PaymentWrites, refund_id: uuid.UUID, *, missing_after: timedelta | None) -> None:
    """missing_after: the provider does not know the refund; from that age on that means it never received it."""
    refund = writes.rows.refund(refund_id)
    age = writes.now - (refund.sent_at or refund.created_at)
    if refund.state == RefundState.PENDING and age > STUCK_AFTER:
        reviews.open_review(writes, ReviewReason.REFUND_STUCK)
    if refund.state != RefundState.UNKNOWN:
        return
    if missing_after is not None and age > missing_after:
        result = ProviderResult(
            State.FAILED,
            code="not_found",
            message="The provider never got this refund.",
            failure=FailureCode.NOT_SENT,
        )
        outcomes.decide(writes, refund.id, result)
    elif age > ALERT_AFTER:
        reviews.open_review(writes, ReviewReason.REFUND_UNKNOWN)
