"""Where a provider leaves nothing to ask by, a payment waits: for news, for a statement, or for a person. Never guessed."""

from __future__ import annotations

import pytest

from app import clock
from app.providers import PROVIDERS
from tests.faults.payments.deliveries import ipn, latest
from tests.faults.payments.expectations import NEVER_CAME, PAID, SILENT, Expected, rules
from tests.faults.payments.truth import (
    assert_paid_once,
    declare,
    entries,
    events,
    operator,
    outcome,
    reconcile,
    refused,
)
from tests.support.world import World

AMOUNT = 100
LOST, NEVER_ARRIVED = "answer and callback dropped", "5xx before, once"


def begin_silent(world: World, provider: str, fault: str, *, hours: float = 1) -> str:
    world.sandbox.control({"rules": rules(fault, provider)})
    payment_id = world.begin(provider, AMOUNT)
    world.settle(payment_id, hours=hours)
    world.sandbox.control({"rules": []})
    return payment_id


@pytest.mark.parametrize("fault", [LOST, NEVER_ARRIVED])
@pytest.mark.parametrize("provider", SILENT)
def test_it_waits_until_a_person_has_looked(world: World, provider: str, fault: str) -> None:
    payment_id = begin_silent(world, provider, fault)
    assert outcome(world, payment_id).review == "nothing_to_ask_by"
    named = {"payment_id": payment_id, "why": "nothing_to_ask_by", "provider": provider}
    assert named in reconcile(world, provider)["in_review"]
    assert f"nothing_to_ask_by): {payment_id}" in operator(world, "reconcile", "--provider", provider)
    assert world.post(f"/payments/{payment_id}/verify").json()["data"]["status"] == "processing"
    world.settle(payment_id, hours=80)
    assert outcome(world, payment_id).status == "processing", "time alone decides nothing"
    declare(world, payment_id)
    assert outcome(world, payment_id) == (PAID if fault == LOST else NEVER_CAME)
    assert payment_id not in operator(world, "reconcile", "--provider", provider)
    world.assert_books_agree()


def test_an_operator_needs_a_receipt_and_decides_once(world: World) -> None:
    payment_id = begin_silent(world, "mpesa", LOST)
    assert "receipt" in refused(world, "payments", "declare", payment_id, "collected")
    declare(world, payment_id)
    assert "nothing to decide" in refused(world, "payments", "declare", payment_id, "failed")
    assert entries(world, payment_id) == ["payment"]
    world.assert_books_agree()


@pytest.mark.parametrize("provider", SILENT)
def test_news_that_comes_hours_late_ends_the_wait(world: World, provider: str) -> None:
    payment_id = begin_silent(world, provider, LOST)
    assert latest(world, provider).send().status_code == 200
    world.settle(payment_id, hours=1)
    assert outcome(world, payment_id) == PAID
    assert_paid_once(world, payment_id)
    world.assert_books_agree()


@pytest.mark.parametrize("provider", SILENT)
def test_news_after_an_operators_wrong_word_is_kept_apart(world: World, provider: str) -> None:
    """The operator looked too early and declared a failure; the money that was there all along is not dropped."""
    payment_id = begin_silent(world, provider, LOST)
    operator(world, "payments", "declare", payment_id, "failed")
    assert latest(world, provider).send().status_code == 200
    world.settle(payment_id, hours=1, until=())
    if provider == "pesapal":
        # Its news holds no result, only an id to ask by, and what has ended is not asked about.
        reconcile(world, provider)
    assert outcome(world, payment_id) == Expected("failed", 1, "late_success")
    assert entries(world, payment_id) == ["suspense"]
    operator(world, "payments", "accept", payment_id)
    assert outcome(world, payment_id) == PAID
    world.assert_books_agree()


def test_a_strangers_order_id_does_not_stop_the_true_news(world: World) -> None:
    """Anybody can write a notification with our reference and an order id of his own."""
    world.sandbox.control({"rules": rules(LOST, "pesapal")})
    payment_id = world.begin("pesapal", AMOUNT)
    (attempt,) = world.attempts(payment_id)
    invented = "00000000-1111-2222-3333-444444444444"
    assert ipn(world, invented, attempt.reference).send().status_code == 200
    world.settle(payment_id, hours=0.1)
    assert world.payment(payment_id)["provider_transaction_id"] != invented
    world.quiet()
    assert latest(world, "pesapal").send().status_code == 200
    world.settle(payment_id, hours=1)
    assert outcome(world, payment_id) == PAID
    world.assert_books_agree()


def test_a_strangers_order_does_not_pay_for_ours(world: World) -> None:
    """The order id is real and paid, but it is another payment's."""
    paid = world.begin("pesapal", AMOUNT)
    world.settle(paid)
    payment_id = begin_silent(world, "pesapal", NEVER_ARRIVED)
    (theirs,), (ours,) = world.attempts(paid), world.attempts(payment_id)
    assert ipn(world, theirs.provider_reference, ours.reference).send().status_code == 200
    world.settle(payment_id, hours=1, until=("completed",))
    assert outcome(world, payment_id).status == "processing"
    assert entries(world, payment_id) == []
    declare(world, payment_id)
    world.assert_books_agree()


# --- M-Pesa with the pull API


def test_the_statement_finds_what_was_paid(pulling_world: World) -> None:
    payment_id = begin_silent(pulling_world, "mpesa", LOST)
    assert outcome(pulling_world, payment_id) == PAID
    assert_paid_once(pulling_world, payment_id)
    (attempt,) = pulling_world.attempts(payment_id)
    assert attempt.receipt == pulling_world.book(payment_id)[0]["id"]
    pulling_world.assert_books_agree()


def test_what_no_statement_shows_by_the_horizon_has_failed(pulling_world: World) -> None:
    began = clock.now()
    payment_id = begin_silent(pulling_world, "mpesa", NEVER_ARRIVED, hours=80)
    assert outcome(pulling_world, payment_id) == NEVER_CAME
    assert clock.now() - began > PROVIDERS["mpesa"].capabilities.horizon
    assert entries(pulling_world, payment_id) == []
    pulling_world.assert_books_agree()


def test_a_statement_that_no_longer_reaches_back_proves_nothing(pulling_world: World) -> None:
    """The pull API was away until the payment was too old for it: that it is not listed says nothing."""
    world = pulling_world
    away = {"fault": "before", "provider": "mpesa", "operation": "pull"}
    world.sandbox.control({"rules": [*rules(LOST, "mpesa"), away]})
    payment_id = world.begin("mpesa", AMOUNT)
    world.settle(payment_id, hours=47.9)
    world.sandbox.control({"rules": []})
    world.advance(2 * 3600)
    world.settle(payment_id, hours=30)
    assert outcome(world, payment_id).status == "processing"
    assert "payment.failed" not in events(world, payment_id)
    assert outcome(world, payment_id).review is not None
    declare(world, payment_id)
    assert outcome(world, payment_id) == PAID
    world.assert_books_agree()


def test_the_statement_and_the_callback_together_book_once(pulling_world: World) -> None:
    payment_id = begin_silent(pulling_world, "mpesa", LOST)
    assert latest(pulling_world, "mpesa").send().status_code == 200
    pulling_world.settle(payment_id, hours=1, until=())
    assert_paid_once(pulling_world, payment_id)
    pulling_world.assert_books_agree()
