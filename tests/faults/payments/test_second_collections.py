"""Two attempts of one payment collected money: what happens to the late one's is no business of the payment."""

from __future__ import annotations

import uuid

import pytest

from app import clock
from app.money import Money
from app.providers.base import Result, State
from app.services.operator import decisions
from app.services.payments import outcomes as payment_outcomes
from app.services.refunds import outcomes as refund_outcomes
from app.unit_of_work import transaction
from tests.faults.payments.losing import forget_in_redis
from tests.faults.payments.truth import operator, refused
from tests.support.world import World


def test_late_money_that_went_back_takes_nothing_from_the_payment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paystack calls what was refunded wholly "reversed". Breaks when that word about the late attempt, whose money was
    given back, is booked as a reversal of what the other attempt collected."""
    forget_in_redis(world, "malipo:health:*")
    monkeypatch.setitem(
        world.app.config, "ROUTING_COSTS", {"paystack": {"KES": (1, 0)}, "mpesa": {"KES": (2, 0)}}
    )
    limited = {"fault": "rate_limit", "provider": "paystack", "operation": "initialize"}
    world.sandbox.control({"rules": [limited]})
    payment_id = world.begin("auto", 100, currency="KES")
    assert world.settle(payment_id)["status"] == "completed"
    late, _ = world.attempts(payment_id)
    wallet = f"tenant:{world.tenant_id}:KES"
    before = world.balance(wallet)

    def told(state: State) -> None:
        news = Result(state, receipt="4321", amount=Money(10_000, "KES"))
        with world.app.app_context():
            transaction(
                lambda s: payment_outcomes.apply_outcome(s, late.id, news, source="callback", now=clock.now())
            )

    told(State.SUCCEEDED)
    with world.app.app_context():
        refund_id = decisions.give_back(uuid.UUID(payment_id), operator="operator")
        done = Result(State.SUCCEEDED, provider_reference="9")
        transaction(
            lambda s: refund_outcomes.apply_outcome(s, refund_id, done, source="callback", now=clock.now())
        )
    told(State.REVERSED)
    refused(world, "payments", "record-reversal", payment_id, "--attempt", "1")
    assert world.payment(payment_id)["status"] == "completed"
    assert world.balance(wallet) == before
    assert "clean" in operator(world, "ledger", "check")
