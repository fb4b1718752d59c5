"""Why a payment or a refund failed: a code of ours and a sentence the customer may read, the provider's words beside them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.faults.payments.deliveries import Delivery, latest
from tests.faults.payments.facts import operator
from tests.support.gateway import Gateway


def failure(found: dict[str, Any]) -> tuple[str | None, str | None]:
    return found["failure_code"], found["failure_reason"]


@pytest.mark.parametrize(
    ("provider", "amount", "code", "sentence", "theirs"),
    [
        ("mpesa", 7104, "wrong_pin", "The PIN was not correct.", "2001"),
        ("mpesa", 7101, "insufficient_funds", "The customer's funds do not cover this amount.", "1"),
        ("cpay", 7101, "insufficient_funds", "The customer's funds do not cover this amount.", "insufficient_funds"),
        ("mpesa", 7102, "cancelled_by_customer", "The customer cancelled the payment.", "1032"),
        ("cpay", 7102, "cancelled_by_customer", "The customer cancelled the payment.", "cancelled"),
        ("mpesa", 7138, "invalid_account", "The customer's account or card cannot be used for this payment.", "E3008"),
    ],
)  # fmt: skip
def test_a_failure_has_the_same_code_and_sentence_whichever_provider_it_is_at(
    gateway: Gateway, provider: str, amount: int, code: str, sentence: str, theirs: str
) -> None:
    payment_id = gateway.begin(provider, amount)
    found = gateway.settle(payment_id, hours=0.01)
    assert failure(found) == (code, sentence)
    assert found["provider_failure"]["code"] == theirs
    assert found["provider_failure"]["message"] != sentence


def test_a_decision_of_an_operator_names_nobody(gateway: Gateway) -> None:
    gateway.sandbox.control({"rules": [{"fault": "before", "provider": "mpesa", "times": 50}]})
    payment_id = gateway.begin("mpesa")
    gateway.advance(60)
    operator(gateway, "payments", "resolve", payment_id, "--failed")
    found = gateway.payment(payment_id)
    assert failure(found) == ("not_paid", "The payment was not made.")
    assert found["provider_failure"] is None


def test_a_refund_that_failed_is_not_explained_by_the_text_of_a_success(gateway: Gateway) -> None:
    """The status query has worked, says the provider's sentence; what it has found is that the reversal was declined."""
    payment_id = gateway.begin("mpesa")
    gateway.settle(payment_id)
    lost = {"fault": "callback_lost", "operation": "reversal", "times": 1}
    gateway.sandbox.control({"rules": [lost, {"fault": "before", "operation": "status"}]})
    assert gateway.refund(payment_id).status_code == 200
    gateway.settle(payment_id, until=(), hours=0.003)
    delivery = latest(gateway, "mpesa")
    result = json.loads(delivery.body)["Result"]
    result |= {"ResultCode": 0, "ResultDesc": "The service request is processed successfully."}
    parameters = {"TransactionStatus": "Declined"} | {
        name: result[name] for name in ("ConversationID", "OriginatorConversationID")
    }
    result["ResultParameters"] = {
        "ResultParameter": [{"Key": name, "Value": value} for name, value in parameters.items()]
    }
    url = delivery.url.replace("notice=refund", "notice=refund-status")
    assert Delivery(url, body=json.dumps({"Result": result}).encode()).send().status_code == 200
    gateway.settle(payment_id, until=(), hours=0.003)
    gateway.sandbox.control({"rules": []})
    (refund,) = gateway.get(f"/payments/{payment_id}/refunds").json()["data"]
    assert (refund["status"], *failure(refund)) == ("failed", "declined", "The provider declined the refund.")
    assert refund["provider_failure"] == {
        "code": "Declined",
        "message": "The service request is processed successfully.",
    }
