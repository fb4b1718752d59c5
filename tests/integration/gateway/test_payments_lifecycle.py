"""What a payment can go through after it was initialised: looks, verifications, cancellations, refunds."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.gateway.conftest import Shop
from tests.integration.gateway.test_payments_initialize import MISSING_KEY

NOT_FOUND = {"success": False, "error": "Transaction not found"}


def test_a_payment_is_read_as_it_was_answered(shop: Shop) -> None:
    data = shop.paid()
    token = data.pop("realtime_token")
    assert token and shop.get(f"/{data['id']}").json == {"success": True, "data": data}


@pytest.mark.parametrize(
    ("method", "end"),
    [("GET", ""), ("GET", "/refunds"), ("POST", "/verify"), ("POST", "/refund"), ("POST", "/cancel")],
)
def test_somebody_elses_payment_is_nobodys(shop: Shop, other_shop: Shop, method: str, end: str) -> None:
    theirs = other_shop.paid()["id"]
    headers = shop.headers | {"Idempotency-Key": secrets.token_hex(8)}
    for payment_id in (theirs, str(uuid.uuid4())):
        answer = shop.client.open(f"/api/v1/payments/{payment_id}{end}", method=method, headers=headers)
        assert (answer.status_code, answer.json) == (404, NOT_FOUND)
    assert other_shop.get(f"/{theirs}").json["data"]["status"] == "completed"


def test_ids_have_dashes(shop: Shop) -> None:
    payment_id = shop.paid()["id"]
    for spelling in (
        payment_id.replace("-", ""),
        payment_id[:-1],
        f"{payment_id}0",
        "{" + payment_id + "}",
        "x",
    ):
        answer = shop.get(f"/{spelling}")
        assert answer.status_code == 404 and answer.json["success"] is False


def test_verify_needs_no_body_and_leaves_a_final_payment(shop: Shop) -> None:
    data = shop.paid()
    data.pop("realtime_token")
    bare = shop.post(f"/{data['id']}/verify")
    with_body = shop.post(f"/{data['id']}/verify", json={})
    assert (bare.status_code, bare.json) == (200, {"success": True, "data": data})
    assert with_body.json == bare.json
    assert shop.post(f"/{data['id']}/verify", json={"status": "failed"}).status_code == 400


def test_verify_of_a_lost_answer_finds_the_money(shop: Shop) -> None:
    payment_id = shop.initialize(amount=7001).json["data"]["id"]
    answer = shop.post(f"/{payment_id}/verify")
    assert (answer.status_code, answer.json["data"]["status"]) == (200, "completed")


def test_verify_decides_nothing_when_nobody_can_tell(shop: Shop) -> None:
    """CPay never says what became of 7122. Breaks when silence is taken for a no."""
    payment_id = shop.initialize(amount=7122).json["data"]["id"]
    answer = shop.post(f"/{payment_id}/verify")
    assert answer.status_code == 502 and answer.json["success"] is False
    assert shop.get(f"/{payment_id}").json["data"]["status"] == "processing"


def test_cancel_takes_back_what_waits_and_nothing_else(shop: Shop) -> None:
    waiting, paid = shop.waiting()["id"], shop.paid()["id"]
    answer = shop.post(f"/{waiting}/cancel")
    assert (answer.status_code, answer.json["data"]["status"]) == (200, "cancelled")
    refused = shop.post(f"/{paid}/cancel")
    assert refused.status_code == 400 and refused.json["success"] is False
    assert shop.get(f"/{paid}").json["data"]["status"] == "completed"


def test_a_full_refund(shop: Shop) -> None:
    payment_id = shop.paid()["id"]
    answer = shop.refund(payment_id, reason="Customer request")
    assert answer.status_code == 200 and answer.json["success"] is True
    assert answer.json["data"]["status"] == "refunded"
    (refund,) = shop.get(f"/{payment_id}/refunds").json["data"]
    assert (refund["amount"], refund["reason"], refund["status"]) == (
        "1000.00",
        "Customer request",
        "completed",
    )


def test_refunds_in_parts_up_to_the_amount(shop: Shop) -> None:
    payment_id = shop.paid()["id"]
    first = shop.refund(payment_id, amount=400.00)
    assert (first.status_code, first.json["data"]["status"]) == (200, "partially_refunded")
    too_much = shop.refund(payment_id, amount="600.01")
    assert too_much.status_code == 400 and too_much.json["success"] is False
    rest = shop.refund(payment_id, amount="600.00")
    assert (rest.status_code, rest.json["data"]["status"]) == (200, "refunded")
    amounts = [refund["amount"] for refund in shop.get(f"/{payment_id}/refunds").json["data"]]
    assert sorted(amounts) == ["400.00", "600.00"]
    assert shop.refund(payment_id, amount=1).status_code == 400


def test_only_completed_payments_are_refunded(shop: Shop) -> None:
    answer = shop.refund(shop.waiting()["id"])
    assert (answer.status_code, answer.json["error"]) == (400, "Can only refund completed transactions")


def test_a_refund_needs_a_key_and_happens_once_for_it(shop: Shop) -> None:
    payment_id = shop.paid()["id"]
    bare = shop.post(f"/{payment_id}/refund", json={"amount": 1})
    assert (bare.status_code, bare.json) == (400, MISSING_KEY)
    first = shop.refund(payment_id, key="once", amount=100)
    again = shop.refund(payment_id, key="once", amount=100)
    assert (again.status_code, again.json, again.headers["Idempotent-Replayed"]) == (200, first.json, "true")
    assert len(shop.get(f"/{payment_id}/refunds").json["data"]) == 1
    assert shop.refund(payment_id, key="once", amount=101).status_code == 422


def test_one_key_for_two_payments_is_another_request(shop: Shop) -> None:
    """The id in the path is part of what is asked. Breaks when only the body is compared."""
    one, two = shop.paid()["id"], shop.paid()["id"]
    assert shop.refund(one, key="both", amount=1).status_code == 200
    assert shop.refund(two, key="both", amount=1).status_code == 422


def test_a_refund_without_a_body_is_a_full_one(shop: Shop) -> None:
    payment_id = shop.paid()["id"]
    answer = shop.post(f"/{payment_id}/refund", key="bodiless")
    assert (answer.status_code, answer.json["data"]["status"]) == (200, "refunded")


def test_a_declined_refund_is_402_and_gives_nothing_back(shop: Shop) -> None:
    payment_id = shop.paid(amount=7301)["id"]
    answer = shop.refund(payment_id, amount=7224)
    assert answer.status_code == 402 and answer.json["success"] is False
    assert answer.json["error"] == "CPay does not refund this."
    assert shop.get(f"/{payment_id}").json["data"]["status"] == "completed"


def test_the_log_of_a_paid_and_refunded_payment(
    shop: Shop, rows: Callable[..., list[Any]], publish: Callable[[], None]
) -> None:
    payment_id = shop.paid()["id"]
    shop.refund(payment_id)
    publish()
    found = [
        row.type for row in rows("SELECT type FROM events WHERE object_id = :id ORDER BY seq", id=payment_id)
    ]
    assert found[0] == "payment.initiated"
    assert (
        found.index("payment.completed") < found.index("refund.initiated") < found.index("refund.completed")
    )
