"""A process stalls between the commit of `sending` and the call. By the time it continues, the payment has changed:
it sends nothing.

Seen failing when the time is not looked at before the call.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from app.services import provider_operations
from app.services.outgoing_operations import OutgoingOperations
from app.services.payments import attempts as payment_attempts
from app.services.provider_access import accounts as provider_accounts
from tests.faults.payments.facts import operator
from tests.faults.payments.lost_commits import count, stall
from tests.support.gateway import Gateway

CHARGE = (payment_attempts, "_charge")
REFUND = (OutgoingOperations, "call")
"""What calls the provider."""


def _gone_s(gateway: Gateway) -> float:
    """So long that the others believe that the sender is dead."""
    with gateway.app.app_context():
        return provider_operations.answer_time().total_seconds() + 1


def _a_moment_s(gateway: Gateway) -> float:
    """Long enough that the call would end after the lease expires; it has not expired yet."""
    return _gone_s(gateway) / 3


@pytest.fixture
def calls(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], list[str]]:
    """The calls of one method of a provider's adapter, from now on."""

    def of(provider: str, name: str) -> list[str]:
        noted: list[str] = []
        with gateway.app.app_context():
            adapter = provider_accounts.for_tenant(gateway.tenant_id, provider).provider
        count(noted, monkeypatch, adapter, name)
        return noted

    return of


def _only_payment(gateway: Gateway, key: str) -> str:
    ((found,),) = gateway.rows("SELECT id FROM payments WHERE idempotency_key = :key", key=key)
    return str(found)


@pytest.mark.parametrize("provider", ["stripe", "chapa", "paystack"])
def test_stalled_sender_finds_the_attempt_already_sent(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, calls: Any, provider: str
) -> None:
    """Breaks when the sleeper sends after the job did, or when what it says ends what the job has sent."""
    sent = calls(provider, "_charge")

    def the_job_sends() -> None:
        gateway.advance(_gone_s(gateway))
        gateway.run_due()
        assert sent == ["_charge"]

    stall(monkeypatch, CHARGE, the_job_sends)
    answer = gateway.initialize(provider)
    assert answer.status_code == 201, answer.text
    payment_id = answer.json()["data"]["id"]
    assert gateway.settle(payment_id)["status"] == "completed"
    assert sent == ["_charge"]
    assert [attempt.sendings for attempt in gateway.attempts(payment_id)] == [2]
    assert gateway.charged(payment_id) == [100]
    gateway.assert_ledger_matches_providers()


def test_stalled_sender_finds_the_attempt_ended(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, calls: Any
) -> None:
    """Breaks when the customer is charged after an operator has declared that nothing was collected."""
    sent, key = calls("mpesa", "_charge"), f"ended-{uuid.uuid4()}"

    def an_operator_ends_it() -> None:
        gateway.advance(_gone_s(gateway))
        gateway.run_due()
        operator(gateway, "payments", "resolve", _only_payment(gateway, key), "--failed")

    stall(monkeypatch, CHARGE, an_operator_ends_it)
    gateway.initialize("mpesa", key=key)
    payment_id = _only_payment(gateway, key)
    assert sent == []
    found = gateway.settle(payment_id, until=(), hours=1)
    assert (found["status"], found["review"]) == ("failed", None)
    assert gateway.charged(payment_id) == []
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", ["mpesa", "stripe"])
def test_stalled_sender_finds_the_attempt_expired(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, calls: Any, provider: str
) -> None:
    """Breaks when a call is begun that would still be under way when others ask, find nothing, and act."""
    sent = calls(provider, "_charge")
    stall(monkeypatch, CHARGE, lambda: gateway.advance(_a_moment_s(gateway)))
    answer = gateway.initialize(provider)
    assert (answer.status_code, answer.json()["data"]["status"]) == (502, "failed"), answer.text
    assert sent == []
    payment_id = answer.json()["data"]["id"]
    assert [(a.state, a.error_code) for a in gateway.attempts(payment_id)] == [("failed", "too_late")]
    assert gateway.charged(payment_id) == []


# --- refunds


def _returned(gateway: Gateway, provider: str) -> int:
    return sum(entry["kind"] == "refund" for entry in gateway.sandbox.book(provider)["entries"])


def _refund(gateway: Gateway, payment_id: str) -> Any:
    (found,) = gateway.rows("SELECT * FROM refunds WHERE payment_id = :id", id=payment_id)
    return found


@pytest.mark.parametrize("provider", ["mpesa", "stripe", "paystack"])
def test_stalled_sender_finds_the_refund_ended(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Breaks when money is refunded after it was released to the merchant."""
    payment_id = gateway.begin(provider)
    assert gateway.settle(payment_id)["status"] == "completed"
    before = _returned(gateway, provider)

    def an_operator_ends_it() -> None:
        gateway.advance(_gone_s(gateway))
        gateway.run_due()
        assert _refund(gateway, payment_id).state == "unknown"
        operator(gateway, "payments", "resolve-refund", _refund(gateway, payment_id).id, "--failed")

    stall(monkeypatch, REFUND, an_operator_ends_it)
    gateway.refund(payment_id)
    gateway.settle(payment_id, until=(), hours=1)
    assert _refund(gateway, payment_id).state == "failed"
    assert _returned(gateway, provider) == before
    found = gateway.payment(payment_id)
    assert (found["status"], found["refunded_amount"], found["review"]) == ("completed", "0.00", None)
    gateway.assert_ledger_matches_providers()


def test_expired_refund_is_not_sent(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when a refund is sent while the others already believe that its sender is dead. It may be asked for
    again."""
    payment_id = gateway.begin("paystack")
    assert gateway.settle(payment_id)["status"] == "completed"
    before = _returned(gateway, "paystack")
    stall(monkeypatch, REFUND, lambda: gateway.advance(_a_moment_s(gateway)))
    assert gateway.refund(payment_id).status_code == 502
    assert (_refund(gateway, payment_id).state, _returned(gateway, "paystack")) == ("failed", before)
    assert gateway.refund(payment_id).status_code == 200
    assert gateway.settle(payment_id, until=("refunded",))["status"] == "refunded"
    assert _returned(gateway, "paystack") == before + 1
    gateway.assert_ledger_matches_providers()
