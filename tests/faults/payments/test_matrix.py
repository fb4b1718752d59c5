"""Each provider with each fault: the payment ends where the provider's book says, alone, posted once or not at all.

The expectations are one table (expectations.py); what breaks these tests is in docs/decisions/proving-the-faults.md.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.providers import PROVIDERS
from tests.faults.payments.deliveries import forged_success
from tests.faults.payments.expectations import NOT_RECEIVED, PAID, RULES, SILENT, TABLE, Expected, rules
from tests.faults.payments.facts import assert_paid_once, declare, entries, events, outcome
from tests.support.concurrency import concurrently
from tests.support.gateway import HTTP_PROVIDERS, ONE_OF_A_KIND, TIMEOUT_S, Gateway

AMOUNT = 100
LONG_ENOUGH_H = 80
"""Past every provider's horizon."""


@pytest.mark.parametrize("fault", RULES)
def test_payments_end_in_the_providers_true_states(gateway: Gateway, fault: str) -> None:
    """One payment through each provider, all with the same fault."""
    gateway.sandbox.control({"rules": [rule for name in HTTP_PROVIDERS for rule in rules(fault, name)]})
    ids = {provider: _begin_despite_the_fault(gateway, provider) for provider in HTTP_PROVIDERS}
    expected = TABLE[fault]
    for provider, payment_id in ids.items():
        gateway.settle(payment_id, hours=1 if expected[provider].review else LONG_ENOUGH_H)
    assert {provider: outcome(gateway, ids[provider]) for provider in ids} == dict(expected)
    for provider, payment_id in ids.items():
        assert len(gateway.attempts(payment_id)) == 1, "no new reference while the first may still be paid"
        _assert_traces(gateway, provider, payment_id, expected[provider])
    gateway.assert_ledger_matches_providers()


def _begin_despite_the_fault(gateway: Gateway, provider: str) -> str:
    answer = gateway.initialize(provider, AMOUNT)
    assert answer.status_code == 201, "an answer that was lost is no failure"
    return str(answer.json()["data"]["id"])


def _assert_traces(gateway: Gateway, provider: str, payment_id: str, expected: Expected) -> None:
    """What the outcome has left in the ledger and among the events; what waits for an operator can be decided."""
    if expected == PAID:
        assert_paid_once(gateway, payment_id)
    if expected == NOT_RECEIVED:
        assert _failed_after(gateway, payment_id) > PROVIDERS[provider].capabilities.horizon
    if expected.review == "amount_mismatch":
        assert entries(gateway, payment_id) == ["suspense"]
    if expected.review == "no_provider_id":
        assert entries(gateway, payment_id) == []
        declare(gateway, payment_id)
        assert outcome(gateway, payment_id) == (PAID if expected.charges else NOT_RECEIVED)


def test_an_answer_that_comes_too_late(gateway: Gateway) -> None:
    """The gateway has stopped listening when the provider does what it was asked."""
    gateway.sandbox.control({"rules": [{"fault": "delay", "seconds": TIMEOUT_S + 0.5}], "autopay_s": 0.5})
    ids = dict(
        zip(HTTP_PROVIDERS, concurrently(5, lambda n: gateway.begin(HTTP_PROVIDERS[n], AMOUNT)), strict=True)
    )
    assert {gateway.payment(payment_id)["status"] for payment_id in ids.values()} == {"processing"}
    for payment_id in ids.values():
        gateway.settle(payment_id, hours=1)
        assert_paid_once(gateway, payment_id)
    assert {provider: outcome(gateway, ids[provider]) for provider in ids} == TABLE["answer too late"]
    gateway.assert_ledger_matches_providers()


def test_a_connection_that_is_refused(gateway: Gateway) -> None:
    """Nothing left this machine: the payment has failed, at once and for certain, and its key replays that.

    The merchant's next try is a new payment under a new key; the old key never charges.
    """
    gateway.sandbox.kill()
    try:
        answers = {name: gateway.initialize(name, AMOUNT, key=f"refused-{name}") for name in HTTP_PROVIDERS}
    finally:
        gateway.sandbox.start()
    assert {answer.status_code for answer in answers.values()} == {502}
    replayed = {name: gateway.initialize(name, AMOUNT, key=f"refused-{name}") for name in HTTP_PROVIDERS}
    assert {answer.status_code for answer in replayed.values()} == {502}
    ids = {provider: str(answer.json()["data"]["id"]) for provider, answer in answers.items()}
    gateway.settle(ids["mpesa"], hours=1)
    assert {provider: outcome(gateway, ids[provider]) for provider in ids} == TABLE["connection refused"]
    again = gateway.begin("stripe", AMOUNT)
    assert gateway.settle(again)["status"] == "completed"
    gateway.assert_ledger_matches_providers()


def test_forged_callbacks(gateway: Gateway) -> None:
    """Forged callbacks with every reference but no secret report payments; the customers never pay."""
    ids = {provider: gateway.begin(provider, 7103) for provider in HTTP_PROVIDERS}
    for payment_id in ids.values():
        (attempt,) = gateway.attempts(payment_id)
        for forged in forged_success(gateway, attempt, amount=7103):
            assert forged.send().status_code in (200, 401, 404)
            gateway.run_due()
            assert outcome(gateway, payment_id).status == "processing"
    for payment_id in ids.values():
        gateway.settle(payment_id, hours=LONG_ENOUGH_H)
    assert {provider: outcome(gateway, ids[provider]) for provider in ids} == TABLE["forged callback"]
    for payment_id in ids.values():
        assert "payment.completed" not in events(gateway, payment_id)
        assert entries(gateway, payment_id) == []
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", sorted(set(HTTP_PROVIDERS) - set(SILENT)))
def test_resent_charge_uses_the_same_reference(gateway: Gateway, provider: str) -> None:
    """The charge was made, its answer lost, and nothing can be looked up: what is sent again cannot charge twice."""
    operations = {"stripe": "session_list", "chapa": "verify", "paystack": "verify"}
    blind = {"fault": "before", "provider": provider, "operation": operations[provider], "times": 2}
    lost = rules("answer and callback dropped", provider)
    gateway.sandbox.control({"rules": [*lost, blind]})
    payment_id = gateway.begin(provider, AMOUNT)
    gateway.settle(payment_id, hours=LONG_ENOUGH_H)
    assert outcome(gateway, payment_id) == PAID
    assert_paid_once(gateway, payment_id)
    gateway.assert_ledger_matches_providers()


@pytest.mark.parametrize("provider", ONE_OF_A_KIND)
def test_retried_request_returns_the_same_payment(gateway: Gateway, provider: str) -> None:
    """The merchant, too, lost its answer, and asks again with its key while the outcome is unknown."""
    gateway.sandbox.control({"rules": rules("answer dropped", provider), "autopay_s": 10})
    key = f"retried-{provider}"
    first = gateway.initialize(provider, AMOUNT, key=key)
    second = gateway.initialize(provider, AMOUNT, key=key)
    assert first.json()["data"]["id"] == second.json()["data"]["id"]
    gateway.settle(first.json()["data"]["id"], hours=1)
    assert outcome(gateway, first.json()["data"]["id"]) == PAID
    assert gateway.initialize(provider, AMOUNT, key=key).json()["data"]["id"] == first.json()["data"]["id"]
    assert len(gateway.charged(first.json()["data"]["id"])) == 1
    gateway.assert_ledger_matches_providers()


def test_every_fault_is_tested_with_every_provider() -> None:
    tested_in_other_files = {
        "answer too late",
        "connection refused",
        "web killed before commit",
        "worker killed before commit",
        "forged callback",
    }
    assert set(RULES) | tested_in_other_files == set(TABLE)
    assert all(set(row) == set(HTTP_PROVIDERS) for row in TABLE.values())


def _failed_after(gateway: Gateway, payment_id: str) -> timedelta:
    """From the last sending, as what was sent again is looked for as long as what was sent first."""
    (failed,) = gateway.rows(
        "SELECT at FROM outbox WHERE object_id = :id AND type = 'payment.failed'", id=payment_id
    )
    age: timedelta = failed.at - gateway.attempts(payment_id)[0].sent_at
    return age
