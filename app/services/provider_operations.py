"""Operations at a provider, followed up until they are final: payments and refunds implement this.

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
from typing import ClassVar, Final, Generic, TypeVar

import structlog
from flask import current_app
from sqlalchemy.orm import Session

from app import clock
from app.errors import GatewayError
from app.models.payment import PaymentAttempt
from app.providers.base import Provider, ProviderResult
from app.providers.errors import NotSent, OutcomeUnknown, ProviderError, WrongEnvironment
from app.services.provider_access import accounts, bulkhead
from app.unit_of_work import transaction

Outcome = ProviderResult | ProviderError
"""The outcome of an operation: what a provider answered about it."""

CONNECT_S: Final = 5.0
"""The providers' Context.connect_timeout_s, seconds."""

FIRST_POLL_S: Final = 5
"""An operation whose outcome is unknown is queried for the first time after this many seconds."""

log = structlog.get_logger("operations")

S = TypeVar("S")


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
class Operation(Generic[S]):
    """An operation as it was read. subject: its rows. attempt: the attempt on whose provider account it runs."""

    id: uuid.UUID
    subject: S
    attempt: PaymentAttempt
    phase: Phase
    created_at: datetime
    sent_at: datetime | None
    inquiries: int

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


def call_provider(operation: Operation[S], request: Callable[[Provider], ProviderResult]) -> Outcome:
    """Send `request` for an operation that is `SENDING`, with no connection held.

    Nothing is sent when this process was delayed for so long that another may be sending it.
    """
    if clock.now() > operation.since + answer_time() / 4:
        return NotSent("There was no time left to call the provider.", code="too_late")
    try:
        provider = accounts.of_attempt(operation.attempt)
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


class ProviderOperations(ABC, Generic[S]):
    """One kind of operations. `follow_up` is the loop; the rest is what the kinds differ in."""

    noun: ClassVar[str]
    """In log lines: `payment`, `refund`."""

    waits_s: ClassVar[tuple[int, ...]]
    """Before each query, seconds after the one before; the last repeats."""

    def follow_up(self, operation_id: uuid.UUID) -> datetime | None:
        """One step; returns when the next is due, None when the operation is final. Safe to run at any time."""
        operation, now = self.read(operation_id), clock.now()
        if operation.phase is Phase.FINAL:
            return None
        if operation.is_being_sent(now):
            return operation.since + answer_time()
        with bulkhead.slot(operation.attempt.provider) as has_slot:
            if not has_slot:
                return bulkhead.retry_at(now, since=operation.created_at)
            if operation.phase is Phase.CREATED:
                self._start_and_send(operation_id)
            else:
                self.query(operation)
        return self._next_step(operation_id)

    def query(self, operation: Operation[S], *, source: str = "inquiry") -> None:
        """Query the provider about an operation that was sent, and apply the outcome."""
        if self.must_resend(operation):
            transaction(lambda s: self.apply_inquiry(s, operation.id, OutcomeUnknown(), source=source))
            self._start_and_send(operation.id)
            return
        outcome = self.inquire(operation)
        after = transaction(
            lambda s: self.apply_inquiry(s, operation.id, outcome, source=source, is_counted=True)
        )
        if self.may_resend(after, outcome):
            self._start_and_send(operation.id)
        elif after.phase is not Phase.FINAL:
            self.judge_age(after, outcome)

    def apply_inquiry(
        self,
        session: Session,
        operation_id: uuid.UUID,
        outcome: Outcome,
        *,
        source: str,
        is_counted: bool = False,
    ) -> Operation[S]:
        """Apply the answer to a query. is_counted: the job sent the query, so that its next wait is longer."""
        now = clock.now()
        operation = self.lock(session, operation_id)
        if operation.phase is Phase.SENDING:
            # The process that sent it is gone (follow_up waits for answer_time): its answer is lost.
            operation = self.apply(session, operation_id, OutcomeUnknown(), source=source, now=now)
        if is_counted:
            self.count_inquiry(operation)
        if isinstance(outcome, ProviderError):
            # A refusal to answer says nothing about the operation; an answer of another environment is for an operator.
            log.warning(f"{self.noun}.inquiry_failed", operation=str(operation_id), code=outcome.code)
            if not isinstance(outcome, WrongEnvironment):
                return operation
        return self.apply(session, operation_id, outcome, source=source, now=now)

    def _start_and_send(self, operation_id: uuid.UUID) -> None:
        now = clock.now()
        sending = transaction(lambda s: self.start_sending(s, operation_id, now=now))
        if sending is not None:
            self.send(operation_id, sending)

    def _next_step(self, operation_id: uuid.UUID) -> datetime | None:
        operation, now = self.read(operation_id), clock.now()
        if operation.phase is Phase.FINAL or self.is_parked(operation, now):
            return None
        if operation.phase is Phase.CREATED:
            return bulkhead.retry_at(now, since=operation.created_at)
        if operation.phase is Phase.SENDING:
            return operation.since + answer_time()
        return now + timedelta(seconds=self.waits_s[min(operation.inquiries, len(self.waits_s) - 1)])

    @abstractmethod
    def read(self, operation_id: uuid.UUID) -> Operation[S]:
        """The operation as it is now."""

    @abstractmethod
    def lock(self, session: Session, operation_id: uuid.UUID) -> Operation[S]:
        """The operation with its rows locked."""

    @abstractmethod
    def start_sending(self, session: Session, operation_id: uuid.UUID, *, now: datetime) -> int | None:
        """Move it to `SENDING`, before the first byte; the number of this sending, None when it is not ours to send."""

    @abstractmethod
    def send(self, operation_id: uuid.UUID, sending: int) -> None:
        """Call the provider of an operation that is `SENDING`, and apply the outcome."""

    @abstractmethod
    def inquire(self, operation: Operation[S]) -> Outcome:
        """The provider's answer about it now; nothing is applied."""

    @abstractmethod
    def apply(
        self, session: Session, operation_id: uuid.UUID, outcome: Outcome, *, source: str, now: datetime
    ) -> Operation[S]:
        """Apply an outcome by the state table; the operation as it is then."""

    @abstractmethod
    def count_inquiry(self, operation: Operation[S]) -> None:
        """Count a query on the locked row."""

    @abstractmethod
    def judge_age(self, operation: Operation[S], outcome: Outcome) -> None:
        """End what has been open for too long and clearly was not done, or open a review."""

    def must_resend(self, operation: Operation[S]) -> bool:
        """The answer was lost, there is no id to query, and sending again is safe and brings the answer."""
        return False

    def may_resend(self, operation: Operation[S], outcome: Outcome) -> bool:
        """The provider never received it, and sending again under the same reference cannot act twice."""
        return False

    def is_parked(self, operation: Operation[S], now: datetime) -> bool:
        """Only an operator can end it: the job stops, `flask reconcile` still queries."""
        return False
