"""What waits for a person stays visible until that person has looked, and nobody else can put it there or hide it."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from app.services.operator import reconciliation
from tests.faults.payments.deliveries import SECRETS, posted, signed
from tests.faults.payments.truth import operator, refused
from tests.support.world import World


def _paid(world: World, provider: str) -> tuple[str, Any]:
    payment_id = world.begin(provider, 100)
    assert world.settle(payment_id)["status"] == "completed"
    return payment_id, world.attempts(payment_id)[0]


def _dispute(world: World, attempt: Any) -> None:
    news = {
        "id": f"evt_{secrets.token_hex(8)}", "object": "event", "type": "charge.dispute.created",
        "data": {"object": {"id": "dp_1", "object": "dispute", "payment_intent": attempt.receipt}},
    }  # fmt: skip
    assert signed(world, "stripe", news, secret=SECRETS["stripe"]).send().status_code == 200
    world.run_due()


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_refund_does_not_hide_a_dispute(world: World, fault: str) -> None:
    """Breaks when the refund's lost answer takes the dispute's place, and is then settled: nobody answers the bank."""
    payment_id, attempt = _paid(world, "stripe")
    _dispute(world, attempt)
    assert world.payment(payment_id)["review"] == "dispute"
    rules = [
        {"fault": fault, "provider": "stripe", "operation": "refund", "times": 1},
        # And nobody is told for an hour.
        {"fault": "before", "provider": "stripe", "operation": "refund_list"},
    ]
    world.sandbox.control({"rules": rules[:1]})
    assert world.refund(payment_id, 40).status_code == 200
    with world.app.app_context():
        (refund,) = world.rows("SELECT id FROM refunds WHERE payment_id = :id", id=payment_id)
        from app.services.refunds import follow_up as refund_follow_up

        refund_follow_up.report_failing(refund.id, "an hour without an answer")
    world.sandbox.control({"rules": []})
    world.settle(payment_id, until=(), hours=30)
    assert world.rows("SELECT state FROM refunds WHERE payment_id = :id", id=payment_id)[0].state in (
        "completed",
        "failed",
    )
    assert world.payment(payment_id)["review"] == "dispute"
    operator(world, "payments", "reviewed", payment_id)
    assert world.payment(payment_id)["review"] is None


def test_what_is_still_open_is_not_reviewed_away(world: World) -> None:
    """Breaks when `reviewed` takes a payment off the list whose end nobody knows: no job asks about it any more."""
    world.sandbox.control(
        {"rules": [{"fault": "before", "provider": "pesapal", "operation": "order", "times": 1}]}
    )
    payment_id = world.begin("pesapal", 100)
    found = world.settle(payment_id, hours=30)
    assert (found["status"], found["review"]) == ("processing", "nothing_to_ask_by")
    assert "declare" in refused(world, "payments", "reviewed", payment_id)
    assert world.payment(payment_id)["review"] == "nothing_to_ask_by"
    operator(world, "payments", "declare", payment_id, "failed")
    assert world.payment(payment_id)["review"] is None


def test_a_refund_that_is_open_is_not_reviewed_away(world: World) -> None:
    payment_id, _ = _paid(world, "pesapal")
    world.sandbox.control({"rules": [{"fault": "before", "provider": "pesapal", "operation": "refund"}]})
    assert world.refund(payment_id).status_code == 200
    world.settle(payment_id, until=(), hours=1)
    assert world.payment(payment_id)["review"] == "refund_unknown"
    assert "declare-refund" in refused(world, "payments", "reviewed", payment_id)
    (refund,) = world.rows("SELECT id FROM refunds WHERE payment_id = :id", id=payment_id)
    operator(world, "payments", "declare-refund", refund.id, "failed")
    assert world.payment(payment_id)["review"] is None
    world.assert_books_agree()


def test_a_customer_cannot_put_a_payment_before_a_person(world: World) -> None:
    """Breaks when an unsigned note is believed: the customer knows the receipt, and can write the rest."""
    payment_id, attempt = _paid(world, "mpesa")
    assert attempt.receipt
    body = {
        "Result": {
            "ResultType": 0, "ResultCode": 0, "ResultDesc": "ok", "OriginatorConversationID": "of-the-customer",
            "ConversationID": attempt.receipt, "TransactionID": "INVENTED01",
        }
    }  # fmt: skip
    note = posted(world, "mpesa", body)
    assert note.to(f"{note.url}?notice=refund").send().status_code == 200
    world.run_due()
    found = world.payment(payment_id)
    assert (found["status"], found["review"]) == ("completed", None)
    with world.app.app_context():
        assert payment_id not in {row["payment_id"] for row in reconciliation.reconcile()["in_review"]}
