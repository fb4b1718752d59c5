"""Refunds of the Processing API: parts, the rest, the order of refusals."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from tests.integration.processing.conftest import Caller


def _refund(caller: Caller, payment: dict[str, Any], *, key: str | None = None, **body: Any) -> Any:
    return caller.post(f"/payments/{payment['id']}/refund", key=key, json=body)


def test_a_part_and_the_rest(processing_key: Caller) -> None:
    caller = processing_key
    payment = caller.paid(amount=100)
    part = _refund(caller, payment, amount=25.00, reason="requested_by_customer")
    assert part.status_code == 201
    body = part.json
    assert re.fullmatch(r"ref_[0-9a-f]{24}", body.pop("id"))
    assert body.pop("created_at").endswith("+00:00") and body.pop("updated_at").endswith("+00:00")
    assert body == {
        "object": "refund",
        "payment_id": payment["id"],
        "amount": 25.0,
        "reason": "requested_by_customer",
        "status": "completed",
        "failure_reason": None,
    }
    after = caller.get(f"/payments/{payment['id']}").json
    assert (after["status"], after["refunded_amount"]) == ("partially_refunded", 25.0)
    assert caller.get("/payments?status=partially_refunded").json["data"][0]["id"] == payment["id"]
    rest = caller.post(f"/payments/{payment['id']}/refund")  # without a body
    assert (rest.status_code, rest.json["amount"], rest.json["reason"]) == (201, 75.0, None)
    after = caller.get(f"/payments/{payment['id']}").json
    assert (after["status"], after["refunded_amount"]) == ("refunded", 100.0)


@pytest.mark.parametrize(
    "reason", ["duplicate", "fraudulent", "product_not_received", "product_unacceptable", "other"]
)
def test_each_reason(processing_key: Caller, reason: str) -> None:
    assert _refund(processing_key, processing_key.paid(), reason=reason).json["reason"] == reason


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"amount": "5"}, "amount", "invalid_type"),
        ({"amount": 0}, "amount", "invalid_value"),
        ({"amount": -1}, "amount", "invalid_value"),
        ({"amount": 1.001}, "amount", "invalid_value"),
        ({"amount": 1e40}, "amount", "invalid_value"),
        ({"reason": 5}, "reason", "invalid_type"),
        ({"reason": "because"}, "reason", "invalid_value"),
        ({"surprise": 1}, "surprise", "unknown_field"),
    ],
)
def test_a_body_that_is_not_valid(
    processing_key: Caller, body: dict[str, Any], field: str, code: str
) -> None:
    payment = processing_key.paid()
    answer = _refund(processing_key, payment, **body)
    assert answer.status_code == 422, answer.data
    (error,) = answer.json["error"]["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert processing_key.get(f"/payments/{payment['id']}").json["refunded_amount"] == 0.0


def test_more_than_is_left(processing_key: Caller) -> None:
    payment = processing_key.paid(amount=10)
    _refund(processing_key, payment, amount=4)
    answer = _refund(processing_key, payment, amount=6.01)
    assert (answer.status_code, answer.json["error"]["type"]) == (400, "invalid_request")
    assert "6.00" in answer.json["error"]["message"]


def test_the_state_comes_before_the_body_and_the_payment_before_the_state(processing_key: Caller) -> None:
    failed = processing_key.pay(amount=13).json
    answer = _refund(processing_key, failed, amount="nonsense")
    assert answer.status_code == 409
    assert answer.json["error"] == {
        "type": "invalid_request",
        "message": f"Payment '{failed['id']}' cannot be refunded. Current status: 'failed'.",
        "status": 409,
    }
    unknown = _refund(processing_key, {"id": "pay_" + "0" * 24}, amount="nonsense")
    assert unknown.status_code == 404


def test_a_refunded_payment_is_not_refunded_again(processing_key: Caller) -> None:
    payment = processing_key.paid()
    assert _refund(processing_key, payment).status_code == 201
    assert _refund(processing_key, payment).status_code == 409


def test_a_repeat_refunds_once(processing_key: Caller) -> None:
    payment = processing_key.paid()
    first = _refund(processing_key, payment, key="r-1")
    repeat = _refund(processing_key, payment, key="r-1")
    assert (first.status_code, repeat.status_code) == (201, 200) and first.json == repeat.json
    assert repeat.headers["X-Idempotent-Replayed"] == "true"


def test_a_refund_that_is_refused(processing_key: Caller) -> None:
    """CPay's amount for it (docs/providers/cpay.md)."""
    payment = processing_key.paid(amount=9999)
    answer = _refund(processing_key, payment, amount=7224)
    assert answer.status_code == 402
    assert (answer.json["status"], answer.json["failure_reason"]) == ("failed", "refund_declined")


def test_a_wallet_without_money_refunds_nothing(shop: Caller, demo: Flask) -> None:
    """The fee is not returned, so a whole refund takes more than the payment brought."""
    payment = shop.paid()
    answer = _refund(shop, payment)
    if answer.status_code != 201:  # a plan with a fee
        assert (answer.status_code, answer.json["error"]["type"]) == (400, "invalid_request")
        assert shop.get(f"/payments/{payment['id']}").json["status"] == "completed"
