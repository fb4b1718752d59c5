"""Two things at once with money that waits, or goes back: the provider's word at the end is what the books say."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.faults.payments.deliveries import SECRETS, latest, signed
from tests.faults.payments.test_late_money import begin_late
from tests.faults.payments.truth import operator, refused
from tests.support.world import World


def _wallet(world: World, currency: str) -> int:
    return world.balance(f"tenant:{world.tenant_id}:{currency}")


def _refund_in_portal(world: World, reference: str) -> None:
    """Somebody gives a payment back in Paystack's dashboard, and the news of it is lost."""
    lost = {"fault": "callback_lost", "provider": "paystack", "operation": "callback"}
    world.sandbox.control({"rules": [lost]})
    answer = requests.post(
        f"{world.sandbox.url}/paystack/refund",
        json={"transaction": reference},
        headers={"Authorization": "Bearer sk_test_sandbox_paystack"},
        timeout=30,
    )
    assert answer.status_code in (200, 201), answer.text
    world.advance(5)
    world.quiet()


def test_money_that_went_back_in_the_portal_cannot_be_accepted(world: World) -> None:
    """Breaks when `accept` does not ask: the merchant gets what the provider no longer has."""
    payment_id = begin_late(world, "paystack")
    (attempt,) = world.attempts(payment_id)
    before = _wallet(world, "NGN")
    _refund_in_portal(world, attempt.reference)
    world.run_due()
    assert "took" in refused(world, "payments", "accept", payment_id)
    assert _wallet(world, "NGN") == before
    found = world.payment(payment_id)
    assert (found["status"], found["review"]) == ("failed", None)
    world.assert_books_agree()


def test_it_can_be_accepted_while_the_provider_is_away(world: World) -> None:
    """An operator has looked; a provider that cannot be asked does not stand in the way."""
    payment_id = begin_late(world, "paystack")
    world.sandbox.control({"rules": [{"fault": "before", "provider": "paystack", "operation": "verify"}]})
    operator(world, "payments", "accept", payment_id)
    assert world.payment(payment_id)["status"] == "completed"
    world.sandbox.control({"rules": []})
    world.assert_books_agree()


def _open_refund(world: World, provider: str) -> tuple[str, Any]:
    """A refund that the provider does, although its answer was lost and an operator has called it failed."""
    payment_id = world.begin(provider, 100)
    assert world.settle(payment_id)["status"] == "completed"
    rule = {"fault": "after", "provider": provider, "operation": "refund", "times": 1}
    world.sandbox.control(
        {"rules": [rule, {"fault": "callback_lost", "provider": provider, "operation": "callback"}]}
    )
    assert world.refund(payment_id, 40).status_code == 200
    (refund,) = world.rows("SELECT * FROM refunds WHERE payment_id = :id", id=payment_id)
    assert refund.state == "unknown"
    operator(world, "payments", "declare-refund", refund.id, "failed")
    world.sandbox.control({"rules": []})
    return payment_id, refund


@pytest.mark.parametrize("provider", ["stripe", "chapa", "paystack"])
def test_a_refund_that_was_called_failed_and_done_is_shown(world: World, provider: str) -> None:
    """Breaks when news about a final refund is dropped unread: the merchant can spend what the customer has."""
    payment_id, _ = _open_refund(world, provider)
    world.advance(5)
    world.quiet()
    assert latest(world, provider).send().status_code == 200
    world.run_due()
    world.advance(5)
    world.run_due()
    found = world.payment(payment_id)
    is_booked = found["refunded_amount"] == "40.00"
    assert is_booked or found["review"] == "refunded_at_provider", found


def test_two_refunds_cannot_be_told_to_be_one(world: World) -> None:
    """News of another payment's refund ends no refund of this one."""
    first = world.begin("stripe", 100)
    second = world.begin("stripe", 100)
    for payment_id in (first, second):
        assert world.settle(payment_id)["status"] == "completed"
    rule = {"fault": "before", "provider": "stripe", "operation": "refund", "times": 1}
    world.sandbox.control({"rules": [rule]})
    assert world.refund(first, 40).status_code == 200
    assert world.refund(second, 40).status_code == 200
    done = world.rows("SELECT * FROM refunds WHERE payment_id = :id", id=second)[0]
    attempt = world.attempts(first)[0]
    thing = {
        "id": done.provider_reference, "object": "refund", "status": "succeeded", "amount": 4000, "currency": "usd",
        "payment_intent": attempt.receipt, "metadata": {"reference": world.rows(
            "SELECT reference FROM refunds WHERE payment_id = :id", id=first)[0].reference},
    }  # fmt: skip
    news = {"id": "evt_crossed", "object": "event", "type": "refund.updated", "data": {"object": thing}}
    assert signed(world, "stripe", news, secret=SECRETS["stripe"]).send().status_code == 200
    world.run_due()
    (open_refund,) = world.rows("SELECT state FROM refunds WHERE payment_id = :id", id=first)
    assert open_refund.state == "unknown"
    world.settle(first, until=(), hours=30)
    world.assert_books_agree()


def test_late_money_that_may_be_gone_in_part_is_left_to_a_person(world: World) -> None:
    """Pesapal says the same word of a part and of all: nothing is booked on it, and nothing given to the merchant."""
    payment_id = begin_late(world, "pesapal")
    (attempt,) = world.attempts(payment_id)
    suspense = f"suspense:{world.tenant_id}:KES"
    before = world.balance(suspense)
    url = f"{world.sandbox.url}/pesapal/api"
    keys = {
        "consumer_key": "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW",
        "consumer_secret": "osGQ364R49cXKeOYSpaOnT++rHs=",
    }
    token = requests.post(f"{url}/Auth/RequestToken", json=keys, timeout=30).json()["token"]
    lost = {"fault": "callback_lost", "provider": "pesapal", "operation": "callback"}
    world.sandbox.control({"rules": [lost]})
    body = {"confirmation_code": attempt.receipt, "amount": 100, "username": "somebody", "remarks": "portal"}
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{url}/Transactions/RefundRequest", json=body, headers=headers, timeout=30)
    assert answer.json()["status"] == "200", answer.text
    world.advance(60)
    world.quiet()
    assert "portal" in refused(world, "payments", "accept", payment_id)
    assert world.balance(suspense) == before
    assert world.payment(payment_id)["review"] == "late_success"
    operator(world, "payments", "record-reversal", payment_id)
    assert world.payment(payment_id)["review"] is None
    world.assert_books_agree()
