"""An operator's word about something that is on its way at this moment, or never was."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from app.services.provider_access.bulkhead import Bulkheads
from tests.faults.payments.facts import operator, refused
from tests.support.gateway import Gateway
from tests.support.waiting import wait_until


def _refund(gateway: Gateway, payment_id: str) -> Any:
    rows = gateway.rows("SELECT id, state FROM refunds WHERE payment_id = :id", id=payment_id)
    return rows[0] if rows else None


def test_a_refund_that_is_being_sent_is_not_declared(gateway: Gateway) -> None:
    """Breaks when the hold is released under a request that then succeeds: the money is with both."""
    payment_id = gateway.begin("stripe", 100)
    assert gateway.settle(payment_id)["status"] == "completed"
    slow = {"fault": "delay", "seconds": 2, "provider": "stripe", "operation": "refund", "times": 1}
    gateway.sandbox.control({"rules": [slow]})
    sender = threading.Thread(target=gateway.refund, args=(payment_id,))
    sender.start()
    try:
        wait_until(
            lambda: (_refund(gateway, payment_id) or [0, ""])[1] == "sending", "it is sent", timeout_s=20
        )
        refund_id = _refund(gateway, payment_id).id
        for word in ("--failed", "--completed"):
            assert "being sent" in refused(gateway, "payments", "resolve-refund", refund_id, word)
    finally:
        sender.join()
    assert gateway.settle(payment_id, until=("refunded",), hours=1)["status"] == "refunded"
    gateway.assert_ledger_matches_providers()


def test_a_payment_that_is_being_sent_is_not_declared(gateway: Gateway) -> None:
    """Breaks when it is failed under a request that then collects: the money is late, and in suspense."""
    slow = {"fault": "delay", "seconds": 2, "provider": "mpesa", "operation": "stkpush", "times": 1}
    gateway.sandbox.control({"rules": [slow]})
    reference = f"slow-{uuid.uuid4().hex}"
    more = {"reference": reference}
    sender = threading.Thread(target=gateway.begin, args=("mpesa", 100), kwargs=more)
    sender.start()
    sending = (
        "SELECT p.id FROM payments p JOIN payment_attempts a ON a.payment_id = p.id "
        "WHERE p.reference = :reference AND a.state = 'sending'"
    )
    try:
        wait_until(lambda: gateway.rows(sending, reference=reference), "it is sent", timeout_s=20)
        payment_id = str(gateway.rows(sending, reference=reference)[0].id)
        for words in (["--failed"], ["--paid", "--receipt", "OF-ANOTHER"]):
            assert "being sent" in refused(gateway, "payments", "resolve", payment_id, *words)
    finally:
        sender.join()
    assert gateway.settle(payment_id)["status"] == "completed"
    gateway.assert_ledger_matches_providers()


class _Full(Bulkheads):
    def try_acquire(self, provider: str) -> bool:
        return False


def test_unsent_attempt_cannot_be_declared_collected(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks when the receipt is kept all the same: a later refund would be asked for under another payment's."""
    with monkeypatch.context() as patched:
        patched.setitem(gateway.app.extensions, "bulkheads", _Full(1))
        payment_id = gateway.begin("mpesa", 100)
    (attempt,) = gateway.attempts(payment_id)
    assert attempt.state == "created"
    assert "never sent" in refused(
        gateway, "payments", "resolve", payment_id, "--paid", "--receipt", "OF-ANOTHER"
    )
    assert gateway.settle(payment_id)["status"] == "completed"
    (attempt,) = gateway.attempts(payment_id)
    assert attempt.receipt != "OF-ANOTHER"
    gateway.assert_ledger_matches_providers()


def test_unsent_refund_cannot_be_declared_returned(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = gateway.begin("stripe", 100)
    assert gateway.settle(payment_id)["status"] == "completed"
    with monkeypatch.context() as patched:
        patched.setitem(gateway.app.extensions, "bulkheads", _Full(1))
        assert gateway.refund(payment_id, 40).status_code == 200
    refund = _refund(gateway, payment_id)
    assert refund.state == "created"
    assert "never sent" in refused(gateway, "payments", "resolve-refund", refund.id, "--completed")
    operator(gateway, "payments", "resolve-refund", refund.id, "--failed")
    gateway.settle(payment_id, until=(), hours=2)
    assert _refund(gateway, payment_id).state == "failed"
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize(
    "command", ["resolve-refund", "resolve", "accept-unmatched", "refund-unmatched", "close-review"]
)
def test_commands_for_unknown_ids(gateway: Gateway, command: str) -> None:
    """A sentence, no traceback."""
    words = {"resolve-refund": ["--failed"], "resolve": ["--failed"]}.get(command, [])
    assert refused(gateway, "payments", command, uuid.uuid4(), *words).startswith("Error: ")
