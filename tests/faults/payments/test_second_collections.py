"""Two attempts of one payment collected money: what happens to the late one's is no business of the payment."""

from __future__ import annotations

import uuid

import pytest

from app.money import Money
from app.providers.base import ProviderResult, State
from app.services.operator import decisions
from tests.faults.payments.facts import operator, refused
from tests.faults.payments.lost_commits import forget_in_redis
from tests.support.gateway import OPERATOR, Gateway
from tests.support.outcomes import apply_to_attempt, apply_to_refund


def test_refund_of_late_money_does_not_reduce_the_payment(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paystack calls what was refunded wholly "reversed". Breaks when that word about the late attempt, whose money was
    refunded, is posted as a reversal of what the other attempt collected."""
    forget_in_redis(gateway, "malipo:health:*")
    monkeypatch.setitem(
        gateway.app.config, "ROUTING_COSTS", {"paystack": {"KES": (1, 0)}, "mpesa": {"KES": (2, 0)}}
    )
    limited = {"fault": "rate_limit", "provider": "paystack", "operation": "initialize"}
    gateway.sandbox.control({"rules": [limited]})
    payment_id = gateway.begin("auto", 100, currency="KES")
    assert gateway.settle(payment_id)["status"] == "completed"
    late, _ = gateway.attempts(payment_id)
    wallet = f"tenant:{gateway.tenant_id}:KES"
    before = gateway.balance(wallet)

    def report(state: State) -> None:
        callback = ProviderResult(state, receipt="4321", amount=Money(10_000, "KES"))
        with gateway.app.app_context():
            apply_to_attempt(late.id, callback, source="callback")

    report(State.SUCCEEDED)
    with gateway.app.app_context():
        refund_id = decisions.refund_unmatched(uuid.UUID(payment_id), operator=OPERATOR)
        done = ProviderResult(State.SUCCEEDED, provider_reference="9")
        apply_to_refund(refund_id, done, source="callback")
    report(State.REVERSED)
    refused(gateway, "payments", "record-reversal", payment_id, "--attempt", "1")
    assert gateway.payment(payment_id)["status"] == "completed"
    assert gateway.balance(wallet) == before
    assert "clean" in operator(gateway, "ledger", "check")
