"""An operator's word about something that is on its way at this moment, or never was."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from app.services.provider_access.bulkhead import Bulkheads
from tests.faults.payments.truth import operator, refused
from tests.support.waiting import wait_until
from tests.support.world import World


def _refund(world: World, payment_id: str) -> Any:
    rows = world.rows("SELECT id, state FROM refunds WHERE payment_id = :id", id=payment_id)
    return rows[0] if rows else None


@pytest.mark.parametrize("provider", ["stripe", "chapa", "paystack", "pesapal"])
def test_a_refund_that_is_being_sent_is_not_declared(world: World, provider: str) -> None:
    """Breaks when the hold is released under a request that then succeeds: the money is with both."""
    payment_id = world.begin(provider, 100)
    assert world.settle(payment_id)["status"] == "completed"
    slow = {"fault": "delay", "seconds": 2, "provider": provider, "operation": "refund", "times": 1}
    world.sandbox.control({"rules": [slow]})
    sender = threading.Thread(target=world.refund, args=(payment_id,))
    sender.start()
    try:
        wait_until(
            lambda: (_refund(world, payment_id) or [0, ""])[1] == "sending", "it is sent", timeout_s=20
        )
        refund_id = _refund(world, payment_id).id
        for word in ("failed", "returned"):
            assert "being sent" in refused(world, "payments", "declare-refund", refund_id, word)
    finally:
        sender.join()
    if provider != "pesapal":  # which waits for somebody in its dashboard
        assert world.settle(payment_id, until=("refunded",), hours=1)["status"] == "refunded"
    else:
        operator(world, "payments", "declare-refund", refund_id, "failed")
    world.assert_books_agree()


class _Full(Bulkheads):
    def try_acquire(self, provider: str) -> bool:
        return False


def test_what_was_never_sent_was_not_collected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when the receipt is kept all the same: a later refund would be asked for under another payment's."""
    with monkeypatch.context() as patched:
        patched.setitem(world.app.extensions, "bulkheads", _Full(1))
        payment_id = world.begin("mpesa", 100)
    (attempt,) = world.attempts(payment_id)
    assert attempt.state == "created"
    assert "never sent" in refused(
        world, "payments", "declare", payment_id, "collected", "--receipt", "OF-ANOTHER"
    )
    assert world.settle(payment_id)["status"] == "completed"
    (attempt,) = world.attempts(payment_id)
    assert attempt.receipt != "OF-ANOTHER"
    world.assert_books_agree()


def test_a_refund_that_was_never_sent_was_not_returned(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = world.begin("stripe", 100)
    assert world.settle(payment_id)["status"] == "completed"
    with monkeypatch.context() as patched:
        patched.setitem(world.app.extensions, "bulkheads", _Full(1))
        assert world.refund(payment_id, 40).status_code == 200
    refund = _refund(world, payment_id)
    assert refund.state == "created"
    assert "never sent" in refused(world, "payments", "declare-refund", refund.id, "returned")
    operator(world, "payments", "declare-refund", refund.id, "failed")
    world.settle(payment_id, until=(), hours=2)
    assert _refund(world, payment_id).state == "failed"
    world.assert_books_agree()


@pytest.mark.parametrize("command", ["declare-refund", "declare", "accept", "give-back", "reviewed"])
def test_commands_about_nothing(world: World, command: str) -> None:
    """A sentence, no traceback."""
    words = {"declare-refund": ["failed"], "declare": ["failed"]}.get(command, [])
    assert refused(world, "payments", command, uuid.uuid4(), *words).startswith("Error: ")
