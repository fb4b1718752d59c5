"""Follows a payout up until it is final (outgoing_operations.py).

Until then its withdrawal's amount stays held. What is sent is what was approved, or nothing.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from app import ids
from app.models.job import JobKind
from app.models.withdrawal import Payout, PayoutState, WithdrawalReviewReason
from app.money import Money
from app.providers.base import (
    FailureCode,
    PayoutMethod,
    PayoutReference,
    PayoutRequest,
    Provider,
    ProviderResult,
    State,
)
from app.providers.errors import NOTHING_HAPPENED, ProviderError
from app.services.outgoing_operations import OutgoingOperations
from app.services.payments.failures import MAX_TEXT
from app.services.payouts import outcomes
from app.services.provider_access import callback_tokens
from app.services.provider_operations import (
    Operation,
    Outcome,
    answer_time,
)
from app.services.withdrawals import digests
from app.services.withdrawals import rows as withdrawal_rows
from app.services.withdrawals.reviews import open_review
from app.services.withdrawals.rows import WithdrawalRows, WithdrawalWrites
from app.services.withdrawals.states import OPEN_PAYOUTS, move_payout
from app.services.write_sets.rows import new_row

PayoutOperation: TypeAlias = Operation[WithdrawalRows, Payout]


class Payouts(OutgoingOperations[WithdrawalRows, Payout]):
    noun = "payout"
    job = JobKind.PAYOUT_FOLLOW_UP
    stuck_after = timedelta(days=2)

    def read(self, operation_id: uuid.UUID) -> PayoutOperation:
        return self.operation(withdrawal_rows.read(payout_id=operation_id), operation_id)

    def operation(self, rows: WithdrawalRows, operation_id: uuid.UUID) -> PayoutOperation:
        payout = rows.payout_with(operation_id)
        return Operation.of(payout, rows, payout, is_open=payout.state in OPEN_PAYOUTS)

    def start_sending(self, writes: WithdrawalWrites, operation_id: uuid.UUID) -> int | None:
        payout = writes.rows.payout_with(operation_id)
        if payout.state != PayoutState.CREATED:
            return None
        if not is_approved(writes.rows):
            refuse_altered(writes, payout)
            return None
        move_payout(payout, PayoutState.SENDING, now=writes.now)
        payout.sent_at = writes.now
        return 1

    def send(self, operation: PayoutOperation, sending: int) -> PayoutOperation:
        # No request waits for the answer any more, so that a provider that is away now is called again later.
        return _send(operation, postponed_by=NOTHING_HAPPENED)

    def move_to_created(
        self, writes: WithdrawalWrites, operation_id: uuid.UUID, error: ProviderError
    ) -> bool:
        payout = writes.rows.payout_with(operation_id)
        if not move_payout(payout, PayoutState.CREATED, now=writes.now):
            return False
        payout.sent_at = None
        payout.error_code, payout.error_message = error.code, error.message[:MAX_TEXT]
        return True

    def request(self, operation: PayoutOperation, provider: Provider) -> ProviderResult:
        return provider.pay_out(_request(operation, provider))

    def ask(self, operation: PayoutOperation, provider: Provider) -> ProviderResult:
        return provider.inquire_payout(payout_reference(operation, provider))

    def decide(self, writes: WithdrawalWrites, operation_id: uuid.UUID, outcome: Outcome) -> None:
        outcomes.decide(writes, writes.rows.payout_with(operation_id), outcome)

    def count_inquiry(self, writes: WithdrawalWrites, operation_id: uuid.UUID) -> None:
        writes.rows.payout_with(operation_id).inquiries += 1

    def open_review(self, writes: WithdrawalWrites, *, is_stuck: bool) -> None:
        reason = WithdrawalReviewReason.PAYOUT_STUCK if is_stuck else WithdrawalReviewReason.PAYOUT_UNKNOWN
        open_review(writes, reason)


_operations: Final = Payouts()

report_failing: Final = _operations.report_failing


def begin(writes: WithdrawalWrites, provider: Provider, *, is_sending: bool) -> Payout:
    """The payout of an approved withdrawal, and its job. is_sending: the caller sends it now; else the job does."""
    withdrawal, now, payout_id = writes.rows.withdrawal, writes.now, ids.uuid7()
    payout = new_row(
        Payout,
        id=payout_id,
        withdrawal_id=withdrawal.id,
        tenant_id=withdrawal.tenant_id,
        provider=provider.name,
        account_id=None,
        environment=provider.account.environment,
        amount=withdrawal.net,
        currency=withdrawal.currency,
        method=withdrawal.method,
        reference=f"out-{payout_id.hex}",
        callback_token=callback_tokens.new_digest(payout_id),
        state=PayoutState.SENDING if is_sending else PayoutState.CREATED,
        inquiries=0,
        sent_at=now if is_sending else None,
        created_at=now,
        updated_at=now,
    )
    writes.rows.payouts.append(payout)
    writes.add_job(JobKind.PAYOUT_FOLLOW_UP, payout_id, run_at=now + answer_time() if is_sending else now)
    return payout


def send(rows: WithdrawalRows, payout_id: uuid.UUID) -> WithdrawalRows:
    """Call the provider of a payout that is `sending`, and apply the outcome; the rows as they are then.

    One that could not be sent fails: the approver's answer says so at once.
    """
    return _send(_operations.operation(rows, payout_id), postponed_by=()).rows


def follow_up(payout_id: uuid.UUID) -> datetime | None:
    """One step (provider_operations.py)."""
    return _operations.follow_up(payout_id)


def poll(payout_id: uuid.UUID, *, source: str) -> PayoutState:
    """Query the provider now, and apply the outcome; the payout's state then. Final payouts are not queried."""
    return _operations.poll(payout_id, source=source).runs_on.state


def inquire(rows: WithdrawalRows, payout_id: uuid.UUID) -> Outcome:
    """The provider's answer about the payout now; nothing is applied."""
    return _operations.inquire(_operations.operation(rows, payout_id))


def is_as_requested(rows: WithdrawalRows) -> bool:
    """Whether withdrawal and payout are what was requested, and each approval is its user's and of that."""
    withdrawal, payout = rows.withdrawal, rows.payout
    if payout is not None and (payout.amount, payout.currency, payout.method) != (
        withdrawal.net,
        withdrawal.currency,
        withdrawal.method,
    ):
        return False
    are_genuine = all(digests.is_approval_of(withdrawal, approval) for approval in rows.approvals)
    return are_genuine and digests.is_as_requested(withdrawal)


def is_approved(rows: WithdrawalRows) -> bool:
    """Whether what was requested was approved by as many people as it needs, none of them who requested it."""
    approvers = {approval.user_id for approval in rows.approvals}
    is_enough = len(approvers) >= rows.withdrawal.required_approvals
    return is_enough and rows.withdrawal.initiated_by not in approvers and is_as_requested(rows)


def refuse_altered(writes: WithdrawalWrites, payout: Payout) -> None:
    """End a payout that is not what was approved, before anything is sent, and tell an operator."""
    open_review(writes, WithdrawalReviewReason.ALTERED)
    message = "The withdrawal is not what was approved; nothing was sent."
    result = ProviderResult(State.FAILED, code="altered", message=message, failure=FailureCode.NOT_SENT)
    outcomes.decide(writes, payout, result)


def _send(operation: PayoutOperation, *, postponed_by: tuple[type[ProviderError], ...]) -> PayoutOperation:
    """postponed_by: the errors after which the payout is sent again later."""
    outcome, sent_at = _operations.call(operation), operation.sent_at

    def decide(writes: WithdrawalWrites) -> None:
        if isinstance(outcome, postponed_by):
            _operations.postpone(writes, operation.id, outcome, sent_at=sent_at)
        else:
            _operations.settle(writes, operation.id, outcome)

    return _operations.change(operation, decide, actor="answer")


def _request(operation: PayoutOperation, provider: Provider) -> PayoutRequest:
    payout, withdrawal = operation.runs_on, operation.rows.withdrawal
    return PayoutRequest(
        reference=payout.reference,
        amount=Money(payout.amount, payout.currency),
        method=PayoutMethod(payout.method),
        destination=withdrawal.destination,
        callback_url=callback_tokens.callback_url(payout, payout.provider, provider),
        reason="Withdrawal",
    )


def payout_reference(operation: PayoutOperation, provider: Provider) -> PayoutReference:
    """What identifies the payout to its provider."""
    payout = operation.runs_on
    return PayoutReference(
        reference=payout.reference,
        amount=Money(payout.amount, payout.currency),
        method=PayoutMethod(payout.method),
        sent_at=payout.sent_at or payout.created_at,
        provider_reference=payout.provider_reference,
        callback_url=callback_tokens.callback_url(payout, payout.provider, provider),
    )
