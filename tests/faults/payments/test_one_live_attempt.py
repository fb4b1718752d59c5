"""One attempt of a payment is alive at a time: the database sees to it, whatever the processes believe.

Seen failing without the index payment_attempts_live.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.models.payment import AttemptState
from app.unit_of_work import transaction
from tests.support.concurrency import concurrently
from tests.support.gateway import Gateway

ALIVE = ("created", "sending", "unknown", "pending", "succeeded")
SIMULTANEOUS = 6


def _failed(gateway: Gateway) -> str:
    """A payment whose one attempt did nothing."""
    refusing = {"fault": "rate_limit", "provider": "chapa", "operation": "initialize", "times": 1}
    gateway.sandbox.control({"rules": [refusing]})
    payment_id = gateway.begin("chapa")
    assert [attempt.state for attempt in gateway.attempts(payment_id)] == ["failed"]
    return payment_id


def _claim(gateway: Gateway, payment_id: str, number: int) -> bool:
    """Begin one more attempt, as a process does that believes there is no other; whether it was let."""
    another = {
        "id": str(uuid.uuid4()),
        "number": number,
        "state": "sending",
        "reference": str(uuid.uuid4()),
        "callback_token": str(uuid.uuid4()),
        "provider_reference": None,
    }
    insert = text(
        "INSERT INTO payment_attempts SELECT (jsonb_populate_record(a, :another)).* FROM payment_attempts a "
        "WHERE payment_id = :id AND number = 1"
    )
    try:
        with gateway.app.app_context():
            transaction(lambda s: s.execute(insert, {"another": json.dumps(another), "id": payment_id}))
    except IntegrityError as error:
        assert "payment_attempts_live" in str(error)
        return False
    return True


def _set_state(gateway: Gateway, attempt: Any, state: str) -> None:
    statement = text("UPDATE payment_attempts SET state = :s WHERE id = :i")
    with gateway.app.app_context():
        transaction(lambda session: session.execute(statement, {"s": state, "i": attempt.id}))


@pytest.fixture
def payment_id(gateway: Gateway) -> Any:
    """A failed payment; in the end all its attempts are failed again."""
    found = _failed(gateway)
    yield found
    for attempt in gateway.attempts(found):
        _set_state(gateway, attempt, "failed")


def test_simultaneous_attempts_start_once(gateway: Gateway, payment_id: str) -> None:
    """Breaks when both begin: both would be sent, and the customer charged twice."""
    let = concurrently(SIMULTANEOUS, lambda number: _claim(gateway, payment_id, number + 2))
    assert sum(let) == 1
    states = sorted(attempt.state for attempt in gateway.attempts(payment_id))
    assert states == ["failed", "sending"]


@pytest.mark.parametrize("state", AttemptState)
def test_states_that_allow_another_attempt(gateway: Gateway, payment_id: str, state: str) -> None:
    """Breaks when a state that may still be paid, or is, is not counted as alive."""
    (first,) = gateway.attempts(payment_id)
    _set_state(gateway, first, state)
    assert _claim(gateway, payment_id, 2) == (state not in ALIVE)


def test_ended_attempt_does_not_reopen_beside_another(gateway: Gateway, payment_id: str) -> None:
    """Breaks when an expired attempt can succeed while the next one is open."""
    (first,) = gateway.attempts(payment_id)
    assert _claim(gateway, payment_id, 2)
    with pytest.raises(IntegrityError, match="payment_attempts_live"):
        _set_state(gateway, first, "succeeded")
