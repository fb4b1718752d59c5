"""When an operator may declare the outcome of a payment's attempt, a refund or a payout."""

from __future__ import annotations

from app import clock
from app.errors import InvalidRequest
from app.models.payment import PaymentAttempt, Refund
from app.models.withdrawal import Payout
from app.providers.base import State
from app.services.provider_operations import Phase, answer_time


def require_answered(operation: PaymentAttempt | Refund | Payout, noun: str) -> None:
    """Raises InvalidRequest while a process may still wait for the provider's answer: declared failed, its amount would be free
    although the request is on its way."""
    since = operation.sent_at or operation.created_at
    if operation.state == Phase.SENDING.value and clock.now() < since + answer_time():
        raise InvalidRequest(f"The {noun} is being sent: wait a minute, its answer may settle it.")


def require_open(
    operation: Refund | Payout, state: State, *, is_open: bool, noun: str, recipient: str
) -> None:
    """Raises InvalidRequest where there is nothing to declare, or not this."""
    if not is_open:
        raise InvalidRequest(f"The {noun} is final; there is nothing to decide.")
    if operation.state == Phase.CREATED.value and state is State.SUCCEEDED:
        raise InvalidRequest(f"The {noun} was never sent: the {recipient} cannot have it.")
    require_answered(operation, noun)
