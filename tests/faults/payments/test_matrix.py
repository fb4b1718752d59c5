"""Each provider with each fault: the payment ends where the provider's book says, alone, booked once or not at all.

The expectations are one table (expectations.py); what breaks these tests is in docs/decisions/proving-the-faults.md.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app import clock
from app.providers import PROVIDERS
from tests.faults.payments.deliveries import forged_success
from tests.faults.payments.expectations import NEVER_CAME, PAID, RULES, SILENT, TABLE, rules
from tests.faults.payments.truth import assert_paid_once, declare, entries, events, outcome
from tests.support.together import together
from tests.support.world import HTTP_PROVIDERS, TIMEOUT_S, World

AMOUNT = 100
LONG_ENOUGH_H = 80
"""Past every provider's horizon."""


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
@pytest.mark.parametrize("fault", RULES)
def test_the_payment_ends_in_the_providers_true_state(world: World, provider: str, fault: str) -> None:
    expected = TABLE[fault][provider]
    world.sandbox.control({"rules": rules(fault, provider)})
    answer = world.initialize(provider, AMOUNT)
    assert answer.status_code == 201, "an answer that was lost is no failure"
    payment_id = answer.json()["data"]["id"]
    world.settle(payment_id, hours=1 if expected.review else LONG_ENOUGH_H)
    assert outcome(world, payment_id) == expected
    assert len(world.attempts(payment_id)) == 1, "no new reference while the first may still be paid"
    if expected == PAID:
        assert_paid_once(world, payment_id)
    if expected == NEVER_CAME:
        assert clock.now() - _sent_at(world, payment_id) > PROVIDERS[provider].capabilities.horizon
    if expected.review == "amount_mismatch":
        assert entries(world, payment_id) == ["suspense"]
    if expected.review == "nothing_to_ask_by":
        assert entries(world, payment_id) == []
        declare(world, payment_id)
        assert outcome(world, payment_id) == (PAID if expected.charges else NEVER_CAME)
    world.assert_books_agree()


def test_an_answer_that_comes_too_late(world: World) -> None:
    """The gateway has stopped listening when the provider does what it was asked."""
    world.sandbox.control({"rules": [{"fault": "delay", "seconds": TIMEOUT_S + 0.5}], "autopay_s": 0.5})
    ids = dict(
        zip(HTTP_PROVIDERS, together(5, lambda n: world.begin(HTTP_PROVIDERS[n], AMOUNT)), strict=True)
    )
    assert {world.payment(payment_id)["status"] for payment_id in ids.values()} == {"processing"}
    for payment_id in ids.values():
        world.settle(payment_id, hours=1)
        assert_paid_once(world, payment_id)
    assert {provider: outcome(world, ids[provider]) for provider in ids} == TABLE["answer too late"]
    world.assert_books_agree()


def test_a_connection_that_is_refused(world: World) -> None:
    """Nothing left this machine: the payment has failed, at once and for certain."""
    world.sandbox.kill()
    try:
        answers = {provider: world.initialize(provider, AMOUNT) for provider in HTTP_PROVIDERS}
    finally:
        world.sandbox.start()
    assert {answer.status_code for answer in answers.values()} == {502}
    ids = {provider: _latest(world, provider) for provider in HTTP_PROVIDERS}
    world.settle(ids["mpesa"], hours=1)
    assert {provider: outcome(world, ids[provider]) for provider in ids} == TABLE["connection refused"]
    world.assert_books_agree()


def test_a_key_whose_connection_was_refused_is_answered_the_same(world: World) -> None:
    """The merchant's next try is a new order under a new key; the old key never charges."""
    world.sandbox.kill()
    try:
        assert world.initialize("stripe", AMOUNT, key="refused-once").status_code == 502
    finally:
        world.sandbox.start()
    assert world.initialize("stripe", AMOUNT, key="refused-once").status_code == 502
    again = world.begin("stripe", AMOUNT)
    assert world.settle(again)["status"] == "completed"
    world.assert_books_agree()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_a_forged_callback(world: World, provider: str) -> None:
    """A stranger who knows everything but the secrets says that it was paid; the customer never pays."""
    payment_id = world.begin(provider, 7103)
    (attempt,) = world.attempts(payment_id)
    for forged in forged_success(world, attempt, amount=7103):
        assert forged.send().status_code in (200, 401, 404)
        world.run_due()
        assert outcome(world, payment_id).status == "processing"
    world.settle(payment_id, hours=LONG_ENOUGH_H)
    assert outcome(world, payment_id) == TABLE["forged callback"][provider]
    assert "payment.completed" not in events(world, payment_id)
    assert entries(world, payment_id) == []
    world.assert_books_agree()


@pytest.mark.parametrize("provider", sorted(set(HTTP_PROVIDERS) - set(SILENT)))
def test_a_second_sending_carries_the_first_ones_reference(world: World, provider: str) -> None:
    """The charge was made, its answer lost, and nothing can be looked up: what is sent again cannot charge twice."""
    operations = {"stripe": "session_list", "chapa": "verify", "paystack": "verify"}
    blind = {"fault": "before", "provider": provider, "operation": operations[provider], "times": 2}
    lost = rules("answer and callback dropped", provider)
    world.sandbox.control({"rules": [*lost, blind]})
    payment_id = world.begin(provider, AMOUNT)
    world.settle(payment_id, hours=LONG_ENOUGH_H)
    assert outcome(world, payment_id) == PAID
    assert_paid_once(world, payment_id)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_a_retried_order_is_the_same_payment(world: World, provider: str) -> None:
    """The merchant, too, lost its answer, and asks again with its key while the outcome is unknown."""
    world.sandbox.control({"rules": rules("answer dropped", provider), "autopay_s": 10})
    key = f"retried-{provider}"
    first = world.initialize(provider, AMOUNT, key=key)
    second = world.initialize(provider, AMOUNT, key=key)
    assert first.json()["data"]["id"] == second.json()["data"]["id"]
    world.settle(first.json()["data"]["id"], hours=1)
    assert outcome(world, first.json()["data"]["id"]) == PAID
    assert world.initialize(provider, AMOUNT, key=key).json()["data"]["id"] == first.json()["data"]["id"]
    assert len(world.charged(first.json()["data"]["id"])) == 1
    world.assert_books_agree()


def test_every_fault_is_tested_with_every_provider() -> None:
    elsewhere = {
        "answer too late", "connection refused", "web killed before commit", "worker killed before commit",
        "forged callback",
    }  # fmt: skip
    assert set(RULES) | elsewhere == set(TABLE)
    assert all(set(row) == set(HTTP_PROVIDERS) for row in TABLE.values())


def _sent_at(world: World, payment_id: str) -> Any:
    # The last sending: what was sent again is looked for as long as what was sent first.
    return world.attempts(payment_id)[0].sent_at - timedelta(seconds=1)


def _latest(world: World, provider: str) -> str:
    rows = world.rows(
        "SELECT id FROM payments WHERE provider = :provider ORDER BY id DESC LIMIT 1", provider=provider
    )
    return str(rows[0].id)
