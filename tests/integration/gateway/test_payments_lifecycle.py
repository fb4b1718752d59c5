"""What a payment can go through after it was initialised: looks, verifications, cancellations, refunds."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.gateway.conftest import MerchantClient
from tests.integration.gateway.test_payments_initialize import MISSING_KEY

NOT_FOUND = {"success": False, "error": "Transaction not found"}


def test_a_payment_is_read_as_it_was_answered(merchant: MerchantClient) -> None:
    data = merchant.paid()
    token = data.pop("realtime_token")
    assert token and merchant.get(f"/{data['id']}").json == {"success": True, "data": data}


@pytest.mark.parametrize(
    ("method", "end"),
    [("GET", ""), ("GET", "/refunds"), ("POST", "/verify"), ("POST", "/refund"), ("POST", "/cancel")],
)
def test_another_tenants_payment_is_not_found(
    merchant: MerchantClient, other_merchant: MerchantClient, method: str, end: str
) -> None:
    theirs = other_merchant.paid()["id"]
    headers = merchant.headers | {"Idempotency-Key": secrets.token_hex(8)}
    for payment_id in (theirs, str(uuid.uuid4())):
        answer = merchant.client.open(f"/api/v1/payments/{payment_id}{end}", method=method, headers=headers)
        assert (answer.status_code, answer.json) == (404, NOT_FOUND)
    assert other_merchant.get(f"/{theirs}").json["data"]["status"] == "completed"


def test_ids_have_dashes(merchant: MerchantClient) -> None:
    payment_id = merchant.paid()["id"]
    for spelling in (
        payment_id.replace("-", ""),
        payment_id[:-1],
        f"{payment_id}0",
        "{" + payment_id + "}",
        "x",
    ):
        answer = merchant.get(f"/{spelling}")
        assert answer.status_code == 404 and answer.json["success"] is False


def test_verify_needs_no_body_and_leaves_a_final_payment(merchant: MerchantClient) -> None:
    data = merchant.paid()
    data.pop("realtime_token")
    bare = merchant.post(f"/{data['id']}/verify")
    with_body = merchant.post(f"/{data['id']}/verify", json={})
    assert (bare.status_code, bare.json) == (200, {"success": True, "data": data})
    assert with_body.json == bare.json
    assert merchant.post(f"/{data['id']}/verify", json={"status": "failed"}).status_code == 400


def test_verify_of_a_lost_answer_finds_the_money(merchant: MerchantClient) -> None:
    payment_id = merchant.initialize(amount=7001).json["data"]["id"]
    answer = merchant.post(f"/{payment_id}/verify")
    assert (answer.status_code, answer.json["data"]["status"]) == (200, "completed")


def test_verify_leaves_an_unknown_outcome_open(
    merchant: MerchantClient, rows: Callable[..., list[Any]]
) -> None:
    """CPay never says what became of 7122. Breaks when silence is taken for a no."""
    payment_id = merchant.initialize(amount=7122).json["data"]["id"]
    answer = merchant.post(f"/{payment_id}/verify")
    assert answer.status_code == 502 and answer.json["success"] is False
    assert merchant.get(f"/{payment_id}").json["data"]["status"] == "processing"
    query = "SELECT data FROM outbox WHERE object_id = :id AND type = 'payment.verification_failed'"
    (event,) = rows(query, id=payment_id)
    assert event.data["error"] == answer.json["error"]


def test_cancel_applies_to_pending_payments_only(merchant: MerchantClient) -> None:
    waiting, paid = merchant.waiting()["id"], merchant.paid()["id"]
    answer = merchant.post(f"/{waiting}/cancel")
    assert (answer.status_code, answer.json["data"]["status"]) == (200, "cancelled")
    refused = merchant.post(f"/{paid}/cancel")
    assert refused.status_code == 400 and refused.json["success"] is False
    assert merchant.get(f"/{paid}").json["data"]["status"] == "completed"


def test_a_full_refund(merchant: MerchantClient) -> None:
    payment_id = merchant.paid()["id"]
    answer = merchant.refund(payment_id, reason="Customer request")
    assert answer.status_code == 200 and answer.json["success"] is True
    assert answer.json["data"]["status"] == "refunded"
    (refund,) = merchant.get(f"/{payment_id}/refunds").json["data"]
    assert (refund["amount"], refund["reason"], refund["status"]) == (
        "1000.00",
        "Customer request",
        "completed",
    )


def test_refunds_in_parts_up_to_the_amount(merchant: MerchantClient) -> None:
    payment_id = merchant.paid()["id"]
    first = merchant.refund(payment_id, amount=400.00)
    assert (first.status_code, first.json["data"]["status"]) == (200, "partially_refunded")
    too_much = merchant.refund(payment_id, amount="600.01")
    assert too_much.status_code == 400 and too_much.json["success"] is False
    rest = merchant.refund(payment_id, amount="600.00")
    assert (rest.status_code, rest.json["data"]["status"]) == (200, "refunded")
    amounts = [refund["amount"] for refund in merchant.get(f"/{payment_id}/refunds").json["data"]]
    assert sorted(amounts) == ["400.00", "600.00"]
    again = merchant.refund(payment_id, amount=1)
    assert (again.status_code, again.json["error"]) == (
        400,
        "The payment is refunded: nothing is left to refund.",
    )


def test_only_completed_payments_are_refunded(merchant: MerchantClient) -> None:
    answer = merchant.refund(merchant.waiting()["id"])
    assert (answer.status_code, answer.json["error"]) == (400, "Can only refund completed transactions")


def test_a_refund_needs_a_key_and_happens_once_for_it(merchant: MerchantClient) -> None:
    payment_id = merchant.paid()["id"]
    bare = merchant.post(f"/{payment_id}/refund", json={"amount": 1})
    assert (bare.status_code, bare.json) == (400, MISSING_KEY)
    first = merchant.refund(payment_id, key="once", amount=100)
    again = merchant.refund(payment_id, key="once", amount="100.00")
    assert (again.status_code, again.json, again.headers["Idempotent-Replayed"]) == (200, first.json, "true")
    assert len(merchant.get(f"/{payment_id}/refunds").json["data"]) == 1
    assert merchant.refund(payment_id, key="once", amount=101).status_code == 422


def test_one_key_for_two_payments_is_another_request(merchant: MerchantClient) -> None:
    """The id in the path is part of what is asked. Breaks when only the body is compared."""
    one, two = merchant.paid()["id"], merchant.paid()["id"]
    assert merchant.refund(one, key="both", amount=1).status_code == 200
    assert merchant.refund(two, key="both", amount=1).status_code == 422


def test_a_refund_without_a_body_is_a_full_one(merchant: MerchantClient) -> None:
    payment_id = merchant.paid()["id"]
    answer = merchant.post(f"/{payment_id}/refund", key="bodiless")
    assert (answer.status_code, answer.json["data"]["status"]) == (200, "refunded")


def test_declined_refund_answers_402_and_refunds_nothing(merchant: MerchantClient) -> None:
    payment_id = merchant.paid(amount=7301)["id"]
    answer = merchant.refund(payment_id, amount=7224)
    assert answer.status_code == 402 and answer.json["success"] is False
    assert answer.json["error"] == "The provider declined the refund."
    assert merchant.get(f"/{payment_id}").json["data"]["status"] == "completed"
    (refund,) = merchant.get(f"/{payment_id}/refunds").json["data"]
    assert (refund["failure_code"], refund["failure_reason"]) == ("declined", answer.json["error"])
    said = {"code": "refund_declined", "message": "CPay does not refund this."}
    assert refund["provider_failure"] == said


def test_the_log_of_a_paid_and_refunded_payment(
    merchant: MerchantClient, rows: Callable[..., list[Any]], publish: Callable[[], None]
) -> None:
    payment_id = merchant.paid()["id"]
    merchant.refund(payment_id)
    publish()
    found = [
        row.type for row in rows("SELECT type FROM events WHERE object_id = :id ORDER BY seq", id=payment_id)
    ]
    assert found[0] == "payment.initiated"
    assert (
        found.index("payment.completed") < found.index("refund.initiated") < found.index("refund.completed")
    )
