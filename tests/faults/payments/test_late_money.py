"""Money that came too late or in another amount waits in suspense until a person decides. It is never dropped."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from app import clock
from app.errors import InvalidRequest
from app.services.operator import decisions
from tests.faults.payments.deliveries import latest
from tests.faults.payments.expectations import PAID, TABLE, Expected, rules
from tests.faults.payments.truth import entries, events, operator, outcome, refused
from tests.support.together import together
from tests.support.world import CURRENCIES, HTTP_PROVIDERS, World

AMOUNT = 100
LATE = Expected("failed", 1, "late_success")
PAYABLE_ON = [
    {"fault": "before", "provider": "stripe", "operation": "expire"},
    {"fault": "before", "provider": "chapa", "operation": "cancel"},
    {"fault": "before", "provider": "pesapal", "operation": "cancel"},
]
"""The page cannot be closed: the providers that could do not answer."""

OTHER_AMOUNT = [name for name, expected in TABLE["wrong amount"].items() if expected.review]


def begin_late(world: World, provider: str) -> str:
    """A payment that was given up, and then paid: the customer took longer than the gateway waits."""
    takes_s = 50 if provider == "mpesa" else 3_000  # a prompt is gone after a minute
    world.sandbox.control({"rules": PAYABLE_ON, "autopay_s": takes_s})
    payment_id = world.begin(provider, AMOUNT)
    for _ in range(40):
        # The gateway's clock alone: the provider's page and prompt stay open.
        clock.travel(timedelta(minutes=50))
        world.run_due()
        if world.payment(payment_id)["status"] == "failed":
            break
    assert outcome(world, payment_id) == Expected("failed", 0)
    clock.reset()
    world.sandbox.control({"rules": [], "advance_s": takes_s})
    world.advanced_s = takes_s
    world.settle(payment_id, until=(), hours=0.01)
    return payment_id


def give_back(world: World, payment_id: str) -> None:
    operator(world, "payments", "give-back", payment_id)
    world.settle(payment_id, until=(), hours=1)
    (refund,) = world.rows("SELECT state, amount FROM refunds WHERE payment_id = :id", id=payment_id)
    assert refund.state == "completed"


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_late_money_can_be_accepted(world: World, provider: str) -> None:
    payment_id = begin_late(world, provider)
    assert outcome(world, payment_id) == LATE
    assert entries(world, payment_id) == ["suspense"]
    world.assert_books_agree()
    operator(world, "payments", "accept", payment_id)
    assert outcome(world, payment_id) == PAID
    assert entries(world, payment_id) == ["suspense", "suspense_release"]
    assert events(world, payment_id).count("payment.completed") == 1
    assert "waits for a decision" in refused(world, "payments", "accept", payment_id)
    assert "waits for a decision" in refused(world, "payments", "give-back", payment_id)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_late_money_can_be_given_back(world: World, provider: str) -> None:
    payment_id = begin_late(world, provider)
    give_back(world, payment_id)
    assert outcome(world, payment_id) == Expected("failed", 1)
    assert [entry["kind"] for entry in world.sandbox.book(provider)["entries"][-2:]] == ["charge", "refund"]
    assert "waits for a decision" in refused(world, "payments", "accept", payment_id)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", OTHER_AMOUNT)
def test_another_amount_can_be_accepted(world: World, provider: str) -> None:
    suspense = f"suspense:{world.tenant_id}:{CURRENCIES[provider]}"
    before = world.balance(suspense)
    world.sandbox.control({"rules": rules("wrong amount", provider)})
    payment_id = world.begin(provider, AMOUNT)
    world.settle(payment_id, hours=1)
    assert world.balance(suspense) == before + 101_00
    operator(world, "payments", "accept", payment_id)
    assert outcome(world, payment_id) == PAID
    assert world.balance(suspense) == before
    world.assert_books_agree()


@pytest.mark.parametrize("provider", OTHER_AMOUNT)
def test_another_amount_can_be_given_back(world: World, provider: str) -> None:
    world.sandbox.control({"rules": rules("wrong amount", provider)})
    payment_id = world.begin(provider, AMOUNT)
    world.settle(payment_id, hours=1)
    world.sandbox.control({"rules": []})
    give_back(world, payment_id)
    assert outcome(world, payment_id) == Expected("failed", 1)
    world.assert_books_agree()


def test_another_card_after_a_failure(world: World) -> None:
    """Pesapal's page lets a customer try again whose first card was declined: for us the payment had failed."""
    payment_id = world.begin("pesapal", 7104)
    page = world.payment(payment_id)["payment_url"]
    assert world.settle(payment_id, hours=1)["status"] == "failed"
    assert world.payment(payment_id)["payment_url"] is None, "nobody is to be sent there any more"
    requests.post(page, data={"method": "Visa", "action": "pay"}, timeout=30, allow_redirects=False)
    assert len(world.charged(payment_id)) == 1
    world.settle(payment_id, until=(), hours=0.1)
    assert outcome(world, payment_id) == LATE
    operator(world, "payments", "accept", payment_id)
    assert outcome(world, payment_id) == PAID
    world.assert_books_agree()


@pytest.mark.parametrize("provider", HTTP_PROVIDERS)
def test_late_news_that_is_repeated_changes_nothing(world: World, provider: str) -> None:
    payment_id = begin_late(world, provider)
    for _ in range(2):
        assert latest(world, provider).send().status_code == 200
        world.run_due()
    assert outcome(world, payment_id) == LATE
    assert entries(world, payment_id) == ["suspense"]
    operator(world, "payments", "accept", payment_id)
    assert latest(world, provider).send().status_code == 200
    world.run_due()
    assert outcome(world, payment_id) == PAID
    assert entries(world, payment_id) == ["suspense", "suspense_release"]
    world.assert_books_agree()


def test_accepted_money_can_be_refunded(world: World) -> None:
    """From then on it is a payment like any other."""
    payment_id = begin_late(world, "stripe")
    operator(world, "payments", "accept", payment_id)
    assert world.refund(payment_id).status_code == 200
    assert world.settle(payment_id, until=("refunded",), hours=1)["status"] == "refunded"
    world.assert_books_agree()


def test_a_crowd_of_operators_decides_once(world: World) -> None:
    payment_id = begin_late(world, "chapa")

    def decide(number: int) -> str:
        act = decisions.accept if number % 2 else decisions.give_back
        with world.app.app_context():
            try:
                act(world.rows("SELECT id FROM payments WHERE id = :id", id=payment_id)[0].id, operator="op")
            except InvalidRequest:
                return "refused"
        return "decided"

    assert together(10, decide).count("decided") == 1
    world.settle(payment_id, until=(), hours=1)
    assert sorted(entries(world, payment_id))[0] == "suspense"
    world.assert_books_agree()


@pytest.mark.parametrize("provider", ["stripe", "chapa", "pesapal"])
def test_a_cancel_that_loses_against_the_customer(world: World, provider: str) -> None:
    """Paid, but the callback is lost: the merchant, who knows nothing of it, takes the payment back."""
    world.sandbox.control({"rules": rules("callback lost", provider)})
    payment_id = world.begin(provider, AMOUNT)
    world.quiet()
    assert world.payment(payment_id)["status"] == "processing"
    assert world.post(f"/payments/{payment_id}/cancel").status_code == 400
    assert outcome(world, payment_id) == PAID
    assert "payment.cancelled" not in events(world, payment_id)
    world.assert_books_agree()


@pytest.mark.parametrize(
    ("provider", "operation"), [("stripe", "expire"), ("chapa", "cancel"), ("pesapal", "cancel")]
)
def test_a_cancel_whose_answer_is_lost(world: World, provider: str, operation: str) -> None:
    """Taken back, but nobody heard it: not cancelled on a guess, and nothing is charged."""
    rule = {"fault": "after", "provider": provider, "operation": operation, "times": 1}
    world.sandbox.control({"rules": [rule], "autopay_s": 30})
    payment_id = world.begin(provider, AMOUNT)
    assert world.post(f"/payments/{payment_id}/cancel").status_code == 502
    assert world.payment(payment_id)["status"] == "processing"
    found = world.settle(payment_id, hours=30)
    assert found["status"] in ("cancelled", "failed")
    assert world.charged(payment_id) == []
    world.assert_books_agree()
