"""Follows a refund up until it is final (provider_operations.py).

A refund reaches the provider once: it is sent again only when nothing left the last time. Only the provider's clear answer
or an operator ends it; until then its amount stays held.
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
from app.providers.base import Provider, ProviderResult, RefundReference, RefundRequest, State
from app.providers.errors import NOTHING_HAPPENED, NotSent, OutcomeUnknown, ProviderError, ReceiptMissing
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import reviews
from app.services.payments.attempts import callback_url, charge_reference
from app.services.payments.locks import LockedRefund, lock_refund
from app.services.payments.outcomes import MAX_TEXT
from app.services.payments.states import OPEN_REFUNDS, move_refund
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import bulkhead
from app.services.provider_operations import (
    FIRST_POLL_S,
    Operation,
    Outcome,
    Phase,
    ProviderOperations,
    call_provider,
)
from app.services.refunds import outcomes
from app.unit_of_work import reading, transaction

ALERT_AFTER: Final = timedelta(minutes=15)
STUCK_AFTER: Final = timedelta(days=7)
"""A refund that a provider accepted and has not completed by then is put under review."""

log = structlog.get_logger("refunds")


RefundRows = tuple[Refund, Payment, PaymentAttempt]
RefundOperation = Operation[RefundRows]


class Refunds(ProviderOperations[RefundRows]):
    """Refunds. A refund is sent once: a provider might act on a second request again."""

    noun = "refund"
    waits_s = (5, 15, 60, 300, 900, 3600, 21_600)

    def read(self, operation_id: uuid.UUID) -> RefundOperation:
        with reading() as session:
            refund = session.get_one(Refund, operation_id)
            payment = session.get_one(Payment, refund.payment_id)
            return _operation_of(refund, payment, session.get_one(PaymentAttempt, refund.attempt_id))

    def lock(self, session: Session, operation_id: uuid.UUID) -> RefundOperation:
        locked = lock_refund(session, operation_id)
        return _operation_of(locked.refund, locked.payment, locked.attempt)

    def start_sending(self, session: Session, operation_id: uuid.UUID, *, now: datetime) -> int | None:
        refund = lock_refund(session, operation_id).refund
        if refund.state != RefundState.CREATED:
            return None
        move_refund(refund, RefundState.SENDING, now=now)
        refund.sent_at = now
        return 1

    def send(self, operation_id: uuid.UUID, sending: int) -> None:
        # No request waits for the answer any more, so that a provider that is away now is called again later.
        _send(operation_id, postponed_by=NOTHING_HAPPENED)

    def inquire(self, operation: RefundOperation) -> Outcome:
        refund, payment, attempt = operation.subject
        try:
            provider = provider_accounts.of_attempt(attempt)
            return provider.inquire_refund(refund_reference(refund, payment, attempt, provider))
        except GatewayError as error:
            return OutcomeUnknown(error.message, code=error.code)
        except ProviderError as error:
            return error

    def apply(
        self, session: Session, operation_id: uuid.UUID, outcome: Outcome, *, source: str, now: datetime
    ) -> RefundOperation:
        locked = outcomes.apply_outcome(session, operation_id, outcome, source=source, now=now)
        return _operation_of(locked.refund, locked.payment, locked.attempt)

    def count_inquiry(self, operation: RefundOperation) -> None:
        operation.subject[0].inquiries += 1

    def judge_age(self, operation: RefundOperation, outcome: Outcome) -> None:
        is_missing = isinstance(outcome, ProviderResult) and outcome.state is State.NOT_FOUND
        horizon = provider_accounts.of_attempt(operation.attempt).capabilities.horizon if is_missing else None
        now = clock.now()
        transaction(lambda s: _judge_age(s, operation.id, missing_after=horizon, now=now))


_operations: Final = Refunds()


def follow_up(refund_id: uuid.UUID) -> datetime | None:
    """One step (provider_operations.py)."""
    return _operations.follow_up(refund_id)


def enqueue(session: Session, refund: Refund, *, run_at: datetime, now: datetime) -> None:
    queue.enqueue(session, JobKind.REFUND_FOLLOW_UP, ref=str(refund.id), run_at=run_at, now=now)


def send(refund_id: uuid.UUID) -> tuple[LockedRefund, Outcome]:
    """Call the provider of a refund that is `sending`, and apply the outcome.

    One that could not be sent fails: the merchant is told so at once. One that lacks the payment's receipt waits for it.
    """
    return _send(refund_id, postponed_by=(ReceiptMissing,))


def _send(
    refund_id: uuid.UUID, *, postponed_by: tuple[type[ProviderError], ...]
) -> tuple[LockedRefund, Outcome]:
    """postponed_by: the errors after which the refund is sent again later."""
    operation = _operations.read(refund_id)
    outcome = _call(operation)
    if not isinstance(outcome, postponed_by):
        return _settle(refund_id, outcome), outcome
    if isinstance(outcome, ReceiptMissing):
        _, payment, attempt = operation.subject
        payment_follow_up.look_for_receipt(payment, attempt)
    locked = transaction(lambda s: _postpone(s, operation, outcome))
    return locked, OutcomeUnknown(outcome.message, code=outcome.code)


def _settle(refund_id: uuid.UUID, outcome: Outcome) -> LockedRefund:
    def work(session: Session) -> LockedRefund:
        now = clock.now()
        locked = outcomes.apply_outcome(session, refund_id, outcome, source="answer", now=now)
        # Whatever the outcome is, unless it is final: the callback may never come.
        run_at = now + timedelta(seconds=FIRST_POLL_S)
        queue.run_sooner(session, JobKind.REFUND_FOLLOW_UP, ref=str(refund_id), run_at=run_at)
        return locked

    return transaction(work)


def _postpone(session: Session, operation: RefundOperation, error: ProviderError) -> LockedRefund:
    """Nothing was sent: the refund waits to be sent again. After ALERT_AFTER an operator is told."""
    now = clock.now()
    locked = lock_refund(session, operation.id)
    refund = locked.refund
    if refund.sent_at != operation.sent_at or not move_refund(refund, RefundState.CREATED, now=now):
        return locked  # another process has gone on with it meanwhile
    refund.sent_at = None
    refund.error_code, refund.error_message = error.code, error.message[:MAX_TEXT]
    log.warning("refund.not_sent", refund=str(refund.id), provider=locked.attempt.provider, code=error.code)
    if now - refund.created_at > ALERT_AFTER:
        reviews.open_review(session, locked.payment, ReviewReason.REFUND_STUCK, source="system", now=now)
    run_at = bulkhead.retry_at(now, since=refund.created_at)
    queue.run_sooner(session, JobKind.REFUND_FOLLOW_UP, ref=str(refund.id), run_at=run_at)
    return locked


def poll(refund_id: uuid.UUID, *, source: str) -> None:
    """Query the provider now, and apply the outcome. Final refunds are not queried."""
    operation = _operations.read(refund_id)
    is_sent = operation.phase not in (Phase.FINAL, Phase.CREATED)
    if is_sent and not operation.is_being_sent(clock.now()):
        _operations.query(operation, source=source)


def inquire(refund_id: uuid.UUID) -> Outcome:
    """The provider's answer about the refund now; nothing is applied."""
    return _operations.inquire(_operations.read(refund_id))


def report_failing(refund_id: uuid.UUID, error: str) -> None:
    """The job has failed many times: open a review."""
    now = clock.now()

    def work(session: Session) -> None:
        locked = lock_refund(session, refund_id)
        if locked.refund.state in OPEN_REFUNDS:
            reviews.open_review(
                session, locked.payment, ReviewReason.REFUND_UNKNOWN, source="system", now=now
            )

    transaction(work)
    log.error("refund.job_failing", refund=str(refund_id), error=error)


def _call(operation: RefundOperation) -> Outcome:
    refund, payment, attempt = operation.subject
    if refund.state != RefundState.SENDING:
        # A refund is sent once, by the process that moved it to `sending`: nothing was sent.
        return NotSent("There was no time left to call the provider.", code="too_late")
    return call_provider(
        operation, lambda provider: provider.refund(_refund_request(refund, payment, attempt, provider))
    )


def _refund_request(
    refund: Refund, payment: Payment, attempt: PaymentAttempt, provider: Provider
) -> RefundRequest:
    return RefundRequest(
        reference=refund.reference,
        amount=Money(refund.amount, refund.currency),
        charge=charge_reference(payment, attempt, provider),
        reason=refund.reason or "Refund",
        callback_url=callback_url(attempt.provider, refund.callback_token, provider),
        refunded_before=refund.refunded_before,
    )


def refund_reference(
    refund: Refund, payment: Payment, attempt: PaymentAttempt, provider: Provider
) -> RefundReference:
    """What identifies the refund to its provider."""
    return RefundReference(
        reference=refund.reference,
        amount=Money(refund.amount, refund.currency),
        charge=charge_reference(payment, attempt, provider),
        sent_at=refund.sent_at or refund.created_at,
        provider_reference=refund.provider_reference,
        refunded_before=refund.refunded_before,
        callback_url=callback_url(attempt.provider, refund.callback_token, provider),
    )


def _operation_of(refund: Refund, payment: Payment, attempt: PaymentAttempt) -> RefundOperation:
    is_open = refund.state in OPEN_REFUNDS
    return Operation(
        refund.id,
        (refund, payment, attempt),
        attempt,
        Phase(refund.state) if is_open else Phase.FINAL,
        refund.created_at,
        refund.sent_at,
        refund.inquiries,
    )


def _judge_age(
    session: Session, refund_id: uuid.UUID, *, missing_after: timedelta | None, now: datetime
) -> None:
    """missing_after: the provider does not know the refund; from that age on that means it never received it."""
    locked = lock_refund(session, refund_id)
    refund = locked.refund
    age = now - (refund.sent_at or refund.created_at)
    if refund.state == RefundState.PENDING and age > STUCK_AFTER:
        reviews.open_review(session, locked.payment, ReviewReason.REFUND_STUCK, source="inquiry", now=now)
    if refund.state != RefundState.UNKNOWN:
        return
    if missing_after is not None and age > missing_after:
        result = ProviderResult(State.FAILED, code="not_found", message="The provider never got this refund.")
        outcomes.apply_outcome(session, refund.id, result, source="inquiry", now=now)
    elif age > ALERT_AFTER:
        reviews.open_review(session, locked.payment, ReviewReason.REFUND_UNKNOWN, source="inquiry", now=now)
