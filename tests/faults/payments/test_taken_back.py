"""Money that goes back without our asking is put before a person: disputes, refunds in the provider's own portal."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.faults.payments.deliveries import SECRETS, signed
from tests.faults.payments.truth import operator, refused
from tests.support.world import World


def _paid(world: World, provider: str) -> tuple[str, Any]:
    payment_id = world.begin(provider, 100)
    assert world.settle(payment_id)["status"] == "completed"
    return payment_id, world.attempts(payment_id)[0]


def _news(provider: str, attempt: Any, *, kind: str) -> dict[str, Any]:
    """What the provider writes about a payment of ours that somebody else has touched."""
    if provider == "stripe":
        told = {
            "dispute": ("charge.dispute.created", {"id": "dp_1", "object": "dispute"}),
            "refund": ("charge.refunded", {"id": "ch_1", "object": "charge", "metadata": {}}),
        }
        event_type, thing = told[kind]
        return {
            "id": f"evt_{secrets.token_hex(8)}", "object": "event", "type": event_type,
            "data": {"object": thing | {"payment_intent": attempt.receipt}},
        }  # fmt: skip
    if kind == "dispute":
        data: dict[str, Any] = {"id": 9, "status": "pending", "transaction": {"reference": attempt.reference}}
        return {"event": "charge.dispute.create", "data": data}
    data = {
        "status": "processed", "transaction_reference": attempt.reference, "refund_reference": "R-1",
        "amount": "10000", "currency": "NGN",
    }  # fmt: skip
    return {"event": "refund.processed", "data": data}


@pytest.mark.parametrize("provider", ["stripe", "paystack"])
@pytest.mark.parametrize(("kind", "why"), [("dispute", "dispute"), ("refund", "refunded_at_provider")])
def test_what_others_do_with_a_payment_is_shown(world: World, provider: str, kind: str, why: str) -> None:
    """Breaks when such news is taken for news of nothing, and the merchant keeps money that is gone."""
    payment_id, attempt = _paid(world, provider)
    answer = signed(world, provider, _news(provider, attempt, kind=kind), secret=SECRETS[provider]).send()
    assert answer.status_code == 200
    world.run_due()
    found = world.payment(payment_id)
    assert (found["status"], found["review"]) == ("completed", why)
    operator(world, "payments", "reviewed", payment_id)
    assert world.payment(payment_id)["review"] is None
    refused(world, "payments", "reviewed", payment_id)


def test_a_repeat_about_a_refund_of_ours_is_no_reason(world: World) -> None:
    payment_id, attempt = _paid(world, "stripe")
    assert world.refund(payment_id, 40).status_code == 200
    signed(world, "stripe", _news("stripe", attempt, kind="refund"), secret=SECRETS["stripe"]).send()
    world.run_due()
    found = world.payment(payment_id)
    assert (found["status"], found["review"]) == ("partially_refunded", None)
