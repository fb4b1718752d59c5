"""Refunds and payouts: operations by which a provider sends money.

Each is sent once, since a provider might act on a second request again: it is sent anew only when nothing left the last time.
Only the provider's clear answer or an operator ends it.
"""

from __future__ import annotations

import uuid
from abc import abstractmethod
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

import structlog

from app import clock
from app.errors import GatewayError
from app.models.job import JobKind
from app.models.payment import PaymentAttempt
from app.models.withdrawal import Payout
from app.providers.base import FailureCode, Provider, ProviderResult, State
from app.providers.errors import NotSent, OutcomeUnknown, ProviderError
from app.services.provider_access import accounts, bulkhead
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
from app.services.write_sets.rows import Aggregate
from app.services.write_sets.write_set import WriteSet

R = TypeVar("R", bound=Aggregate)
A = TypeVar("A", PaymentAttempt, Payout)

log = structlog.get_logger("operations")


class OutgoingOperations(ProviderOperations[R, A]):
    """stuck_after: what a provider accepted and has not completed by then is put under review."""

    waits_s = (*WAITS_UNTIL_ALERT_S, 3600, 21_600)
    job: ClassVar[JobKind]
    stuck_after: ClassVar[timedelta]

    @abstractmethod
    def request(self, operation: Operation[R, A], provider: Provider) -> ProviderResult:
        """Send it. Raises ProviderError."""

    @abstractmethod
    def ask(self, operation: Operation[R, A], provider: Provider) -> ProviderResult:
        """Query the provider about it. Raises ProviderError."""

    @abstractmethod
    def open_review(self, writes: WriteSet[R], *, is_stuck: bool) -> None:
        """is_stuck: it could not be sent, or is not completed; else its outcome is unknown."""

    @abstractmethod
    def move_to_created(self, writes: WriteSet[R], operation_id: uuid.UUID, error: ProviderError) -> bool:
        """Move it back from `SENDING`, with the error, because nothing was sent."""

    def call(self, operation: Operation[R, A]) -> Outcome:
        """Send it, and return the outcome; nothing is applied."""
        if operation.phase is not Phase.SENDING:
            # It is sent by the process that moved it to `sending`: nothing was sent by this one.
            return NotSent("There was no time left to call the provider.", code="too_late")
        return call_provider(operation, lambda provider: self.request(operation, provider))

    def inquire(self, operation: Operation[R, A]) -> Outcome:
        try:
            return self.ask(operation, accounts.of_attempt(operation.runs_on))
        except GatewayError as error:
            return OutcomeUnknown(error.message, code=error.code)
        except ProviderError as error:
            return error

    def poll(self, operation_id: uuid.UUID, *, source: str) -> Operation[R, A]:
        """Query the provider now, and apply the outcome; the operation then. One that is final or was not sent is not queried."""
        operation = self.read(operation_id)
        is_sent = operation.phase not in (Phase.FINAL, Phase.CREATED)
        if is_sent and not operation.is_being_sent(clock.now()):
            operation = self.query(operation, source=source)
        return operation

    def settle(self, writes: WriteSet[R], operation_id: uuid.UUID, outcome: Outcome) -> None:
        """Apply the outcome of the call."""
        self.decide(writes, operation_id, outcome)
        if self.operation(writes.rows, operation_id).phase is not Phase.FINAL:
            # Whatever the outcome is, unless it is final: the callback may never come.
            writes.run_job_by(self.job, operation_id, writes.now + timedelta(seconds=FIRST_POLL_S))

    def postpone(
        self,
        writes: WriteSet[R],
        operation_id: uuid.UUID,
        error: ProviderError,
        *,
        sent_at: datetime | None,
    ) -> None:
        """Nothing was sent: the job sends it later. After ALERT_AFTER an operator is alerted."""
        operation, now = self.operation(writes.rows, operation_id), writes.now
        if operation.sent_at != sent_at or not self.move_to_created(writes, operation_id, error):
            return  # another process has gone on with it meanwhile
        provider = operation.runs_on.provider
        log.warning(f"{self.noun}.not_sent", operation=str(operation_id), provider=provider, code=error.code)
        if clock.may_judge_ages() and now - operation.created_at > ALERT_AFTER:
            self.open_review(writes, is_stuck=True)
        writes.run_job_by(self.job, operation_id, bulkhead.retry_at(now, since=operation.created_at))

    def judge_age(self, operation: Operation[R, A], outcome: Outcome) -> Operation[R, A]:
        if not clock.may_judge_ages():
            return operation
        is_missing = isinstance(outcome, ProviderResult) and outcome.state is State.NOT_FOUND
        horizon = accounts.of_attempt(operation.runs_on).capabilities.horizon if is_missing else None
        return self.change(
            operation,
            lambda writes: self._judge(writes, operation.id, missing_after=horizon),
            actor="inquiry",
        )

    def _judge(
        self, writes: WriteSet[R], operation_id: uuid.UUID, *, missing_after: timedelta | None
    ) -> None:
        """missing_after: the provider does not know it; from that age on that means it never received it."""
        operation = self.operation(writes.rows, operation_id)
        age = writes.now - operation.since
        if operation.phase is Phase.PENDING and age > self.stuck_after:
            self.open_review(writes, is_stuck=True)
        if operation.phase is not Phase.UNKNOWN:
            return
        if missing_after is not None and age > missing_after:
            message = f"The provider never got this {self.noun}."
            result = ProviderResult(
                State.FAILED, code="not_found", message=message, failure=FailureCode.NOT_SENT
            )
            self.decide(writes, operation_id, result)
        elif age > ALERT_AFTER:
            self.open_review(writes, is_stuck=False)

    def report_failing(self, operation_id: uuid.UUID, error: str) -> None:
        """The job has failed many times: open a review."""

        def decide(writes: WriteSet[R]) -> None:
            if self.operation(writes.rows, operation_id).phase is not Phase.FINAL:
                self.open_review(writes, is_stuck=False)

        self.change(self.read(operation_id), decide, actor="system")
        log.error(f"{self.noun}.job_failing", operation=str(operation_id), error=error)
