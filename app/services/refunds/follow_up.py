"""Follows a refund up until it is final (outgoing_operations.py). Until then its amount stays held."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from app.models.job import JobKind
from app.models.payment import PaymentAttempt, RefundState
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import Provider, ProviderResult, RefundReference, RefundRequest
from app.providers.errors import NOTHING_HAPPENED, OutcomeUnknown, ProviderError, ReceiptMissing
from app.services.outgoing_operations import OutgoingOperations
from app.services.payments import follow_up as payment_follow_up
from app.services.payments import reviews
from app.services.payments import rows as payment_rows
from app.services.payments.attempts import Finish, PaymentOperation, charge_reference
from app.services.payments.failures import MAX_TEXT
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import OPEN_REFUNDS, move_refund
from app.services.provider_access import callback_tokens
from app.services.provider_operations import Operation, Outcome
from app.services.refunds import outcomes


class Refunds(OutgoingOperations[PaymentRows, PaymentAttempt]):
    noun = "refund"
    job = JobKind.REFUND_FOLLOW_UP
    stuck_after = timedelta(days=7)

    def read(self, operation_id: uuid.UUID) -> PaymentOperation:
        return self.operation(payment_rows.read(refund_id=operation_id), operation_id)

    def operation(self, rows: PaymentRows, operation_id: uuid.UUID) -> PaymentOperation:
        refund = rows.refund(operation_id)
        runs_on = rows.attempt(refund.attempt_id)
        return Operation.of(refund, rows, runs_on, is_open=refund.state in OPEN_REFUNDS)

    def start_sending(self, writes: PaymentWrites, operation_id: uuid.UUID) -> int | None:
        refund = writes.rows.refund(operation_id)
        if refund.state != RefundState.CREATED:
            return None
        move_refund(refund, RefundState.SENDING, now=writes.now)
        refund.sent_at = writes.now
        return 1

    def move_to_created(self, writes: PaymentWrites, operation_id: uuid.UUID, error: ProviderError) -> bool:
        refund = writes.rows.refund(operation_id)
        if not move_refund(refund, RefundState.CREATED, now=writes.now):
            return False
        refund.sent_at = None
        refund.error_code, refund.error_message = error.code, error.message[:MAX_TEXT]
        return True

    def send(self, operation: PaymentOperation, sending: int) -> PaymentOperation:
        # No request waits for the answer any more, so that a provider that is away now is called again later.
        return _send(operation, postponed_by=NOTHING_HAPPENED)

    def request(self, operation: PaymentOperation, provider: Provider) -> ProviderResult:
        return provider.refund(_refund_request(operation, provider))

    def ask(self, operation: PaymentOperation, provider: Provider) -> ProviderResult:
        return provider.inquire_refund(refund_reference(operation, provider))

    def decide(self, writes: PaymentWrites, operation_id: uuid.UUID, outcome: Outcome) -> None:
        outcomes.decide(writes, operation_id, outcome)

    def count_inquiry(self, writes: PaymentWrites, operation_id: uuid.UUID) -> None:
        writes.rows.refund(operation_id).inquiries += 1

    def open_review(self, writes: PaymentWrites, *, is_stuck: bool) -> None:
        reason = ReviewReason.REFUND_STUCK if is_stuck else ReviewReason.REFUND_UNKNOWN
        reviews.open_review(writes, reason)


_operations: Final = Refunds()

report_failing: Final = _operations.report_failing


def follow_up(refund_id: uuid.UUID) -> datetime | None:
    """One step (provider_operations.py)."""
    return _operations.follow_up(refund_id)


def send(rows: PaymentRows, refund_id: uuid.UUID, *, finish: Finish) -> None:
    """Call the provider of a refund that is `sending`, and apply the outcome. finish: adds to the last write set.

    One that could not be sent fails: the answer to the merchant says so at once. One that lacks the payment's receipt waits for it.
    """
    _send(_operations.operation(rows, refund_id), postponed_by=(ReceiptMissing,), finish=finish)


def _send(
    operation: PaymentOperation,
    *,
    postponed_by: tuple[type[ProviderError], ...],
    finish: Finish | None = None,
) -> PaymentOperation:
    """postponed_by: the errors after which the refund is sent again later."""
    outcome, sent_at = _operations.call(operation), operation.sent_at
    postponed = outcome if isinstance(outcome, postponed_by) else None
    if isinstance(postponed, ReceiptMissing):
        rows = payment_follow_up.look_for_receipt(operation.rows, operation.runs_on)
        operation = _operations.operation(rows, operation.id)
    reached = outcome if postponed is None else OutcomeUnknown(postponed.message, code=postponed.code)

    def decide(writes: PaymentWrites) -> None:
        if postponed is None:
            _operations.settle(writes, operation.id, outcome)
        else:
            _operations.postpone(writes, operation.id, postponed, sent_at=sent_at)
        if finish is not None:
            finish(writes, reached)

    return _operations.change(operation, decide, actor="answer")


def poll(refund_id: uuid.UUID, *, source: str) -> RefundState:
    """Query the provider now, and apply the outcome; the refund's state then. Final refunds are not queried."""
    return _operations.poll(refund_id, source=source).rows.refund(refund_id).state


def inquire(rows: PaymentRows, refund_id: uuid.UUID) -> Outcome:
    """The provider's answer about the refund now; nothing is applied."""
    return _operations.inquire(_operations.operation(rows, refund_id))


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
