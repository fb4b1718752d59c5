"""Operations at a provider, followed up until they are final: payments, refunds and payouts implement this.

A step of an open operation starts its sending, calls the provider with nothing held and applies the answer; or it queries
what was sent before, applies the answer and judges the operation's age; then it says when the next step is due. The steps
are a job inserted together with the operation, so a crash at any point leaves the job behind.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final, Generic, TypeVar

import structlog
from flask import current_app

from app import clock
from app.errors import GatewayError
from app.models.payment import PaymentAttempt, Refund
from app.models.withdrawal import Payout
from app.principal import EventActor
from app.providers.base import Provider, ProviderResult
from app.providers.errors import NotSent, OutcomeUnknown, ProviderError, UnconfirmedFailure, WrongEnvironment
from app.services.provider_access import accounts, bulkhead
from app.services.write_sets import store
from app.services.write_sets.rows import Aggregate
from app.services.write_sets.write_set import WriteSet

R = TypeVar("R", bound=Aggregate)
A = TypeVar("A", PaymentAttempt, Payout)

Outcome = ProviderResult | ProviderError
"""The outcome of an operation: what a provider answered about it."""

CONNECT_S: Final = 5.0
"""The providers' Context.connect_timeout_s, seconds."""

FIRST_POLL_S: Final = 5
"""An operation whose outcome is unknown is queried for the first time after this many seconds."""

ALERT_AFTER: Final = timedelta(minutes=15)
"""An outcome that has been unknown for this long is put under review."""

WAITS_UNTIL_ALERT_S: Final = (5, 10, 45, 240, 600)
"""Before each of the first queries, which are sent 5 s, 15 s, 1 min, 5 min and 15 min after the operation: the last at ALERT_AFTER."""

log = structlog.get_logger("operations")


class Phase(StrEnum):
    """Where an operation stands, whatever its kind."""

    CREATED = "created"
    """Nothing was sent."""
    SENDING = "sending"
    """A process is calling the provider, or died while it did."""
    UNKNOWN = "unknown"
    """It was sent, and the answer was lost."""
    PENDING = "pending"
    """The provider has accepted it and has not finished it."""
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Operation(Generic[R, A]):
    """An operation as it was read. rows: those of its payment or withdrawal. runs_on: the row whose provider account it runs on."""

    id: uuid.UUID
    rows: R
    runs_on: A
    phase: Phase
    created_at: datetime
    sent_at: datetime | None
    inquiries: int

    @classmethod
    def of(
        cls, row: PaymentAttempt | Refund | Payout, rows: R, runs_on: A, *, is_open: bool
    ) -> Operation[R, A]:
        """The operation whose row it is."""
        phase = Phase(row.state) if is_open else Phase.FINAL
        return cls(row.id, rows, runs_on, phase, row.created_at, row.sent_at, row.inquiries)

    @property
    def since(self) -> datetime:
        """What its age is counted from."""
        return self.sent_at or self.created_at

    def is_being_sent(self, now: datetime) -> bool:
        """Whether a process may still be waiting for the provider's answer."""
        return self.phase is Phase.SENDING and now < self.since + answer_time()


def answer_time() -> timedelta:
    """After this long an answer does not come any more: the process that waited for it is gone.

    An operation ends within the time-out and the time to connect (providers/base.py); its last request may have begun
    just before that.
    """
    return timedelta(seconds=2 * (current_app.config["PROVIDER_TIMEOUT_S"] + CONNECT_S) + 5)


def call_provider(operation: Operation[Any, Any], request: Callable[[Provider], ProviderResult]) -> Outcome:
    """Send `request` for an operation that is `SENDING`, with no connection held.

    Nothing is sent when this process was delayed for so long that another may be sending it.
    """
    if clock.now() > operation.since + answer_time() / 4:
        return NotSent("There was no time left to call the provider.", code="too_late")
    try:
        provider = accounts.of_attempt(operation.runs_on)
    except GatewayError as error:
        return NotSent(error.message, code=error.code)  # the account is gone: nothing was sent
    try:
        return request(provider)
    except ProviderError as error:
        return error
    except Exception as error:
        # A bug in an adapter, after it may have sent: the outcome is not known.
        log.exception("provider.adapter_failed", operation=str(operation.id), provider=provider.name)
        return OutcomeUnknown(code=type(error).__name__)


class ProviderOperations(ABC, Generic[R, A]):
    """One kind of operations. `follow_up` is the loop; the rest is what the kinds differ in."""

    noun: ClassVar[str]
    """In log lines: `payment`, `refund`, `payout`."""

    waits_s: ClassVar[tuple[int, ...]]
    """Before each query, seconds after the one before; the last repeats."""

    def follow_up(self, operation_id: uuid.UUID) -> datetime | None:
        """One step; returns when the next is due, None when the operation is final. Safe to run at any time."""
        operation, now = self.read(operation_id), clock.now()
        if operation.phase is Phase.FINAL:
            return None
        if operation.is_being_sent(now):
            return operation.since + answer_time()
        with bulkhead.slot(operation.runs_on.provider) as has_slot:
            if not has_slot:
                return bulkhead.retry_at(now, since=operation.created_at)
            is_new = operation.phase is Phase.CREATED
            after = self._start_and_send(operation) if is_new else self.query(operation)
        return self._next_step(after)

    def query(self, operation: Operation[R, A], *, source: str = "inquiry") -> Operation[R, A]:
        """Query the provider about an operation that was sent, and apply the outcome."""
        if self.must_resend(operation):
            return self._start_and_send(self.apply_inquiry(operation, OutcomeUnknown(), source=source))
        outcome = self.inquire(operation)
        after = self.apply_inquiry(operation, outcome, source=source, is_counted=True)
        if self.may_resend(after, outcome):
            return self._start_and_send(after)
        return after if after.phase is Phase.FINAL else self.judge_age(after, outcome)

    def apply_inquiry(
        self, operation: Operation[R, A], outcome: Outcome, *, source: str, is_counted: bool = False
    ) -> Operation[R, A]:
        """Apply the answer to a query. is_counted: the job sent the query, so that its next wait is longer."""
        return self.change(
            operation,
            lambda writes: self._decide_inquiry(writes, operation.id, outcome, is_counted=is_counted),
            actor=source,
        )

    def change(
        self, operation: Operation[R, A], decide: Callable[[WriteSet[R]], object], *, actor: EventActor
    ) -> Operation[R, A]:
        """Write what `decide` decides by the operation's rows (write_sets/store.py); the operation as it is then."""
        return self.operation(store.change(operation.rows, decide, actor=actor).rows, operation.id)

    def _decide_inquiry(
        self, writes: WriteSet[R], operation_id: uuid.UUID, outcome: Outcome, *, is_counted: bool
    ) -> None:
        if self.operation(writes.rows, operation_id).phase is Phase.SENDING:
            # The process that sent it is gone (follow_up waits for answer_time): its answer is lost.
            self.decide(writes, operation_id, OutcomeUnknown())
        if is_counted:
            self.count_inquiry(writes, operation_id)
        if isinstance(outcome, ProviderError):
            # A refusal to answer says nothing about the operation; an answer of another environment is for an operator.
            log.warning(f"{self.noun}.inquiry_failed", operation=str(operation_id), code=outcome.code)
            if not isinstance(outcome, (WrongEnvironment, UnconfirmedFailure)):
                return
        self.decide(writes, operation_id, outcome)

    def _start_and_send(self, operation: Operation[R, A]) -> Operation[R, A]:
        started = store.change(
            operation.rows, lambda writes: self.start_sending(writes, operation.id), actor="system"
        )
        after = self.operation(started.rows, operation.id)
        return after if started.result is None else self.send(after, started.result)

    def _next_step(self, operation: Operation[R, A]) -> datetime | None:
        now = clock.now()
        if operation.phase is Phase.FINAL or self.is_parked(operation, now):
            return None
        if operation.phase is Phase.CREATED:
            return bulkhead.retry_at(now, since=operation.created_at)
        if operation.phase is Phase.SENDING:
            return operation.since + answer_time()
        return now + timedelta(seconds=self.waits_s[min(operation.inquiries, len(self.waits_s) - 1)])

    @abstractmethod
    def read(self, operation_id: uuid.UUID) -> Operation[R, A]:
        """The operation as it is now."""

    @abstractmethod
    def operation(self, rows: R, operation_id: uuid.UUID) -> Operation[R, A]:
        """The operation in these rows."""

    @abstractmethod
    def start_sending(self, writes: WriteSet[R], operation_id: uuid.UUID) -> int | None:
        """Move it to `SENDING`, before the first byte; the number of this sending, None when it is not ours to send."""

    @abstractmethod
    def send(self, operation: Operation[R, A], sending: int) -> Operation[R, A]:
        """Call the provider of an operation that is `SENDING`, and apply the outcome."""

    @abstractmethod
    def inquire(self, operation: Operation[R, A]) -> Outcome:
        """The provider's answer about it now; nothing is applied."""

    @abstractmethod
    def decide(self, writes: WriteSet[R], operation_id: uuid.UUID, outcome: Outcome) -> None:
        """What an outcome changes, by the state table."""

    @abstractmethod
    def count_inquiry(self, writes: WriteSet[R], operation_id: uuid.UUID) -> None:
        """Count a query."""

    @abstractmethod
    def judge_age(self, operation: Operation[R, A], outcome: Outcome) -> Operation[R, A]:
        """End what has been open for too long and clearly was not done, or open a review."""

    def must_resend(self, operation: Operation[R, A]) -> bool:
        """The answer was lost, there is no id to query, and sending again is safe and brings the answer."""
        return False

    def may_resend(self, operation: Operation[R, A], outcome: Outcome) -> bool:
        """The provider never received it, and sending again under the same reference cannot act twice."""
        return False

    def is_parked(self, operation: Operation[R, A], now: datetime) -> bool:
        """Only an operator can end it: the job stops, `flask reconcile` still queries."""
        return False
