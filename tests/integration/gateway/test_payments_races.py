"""Many requests at one moment: one payment for a key, and never more given back than was paid."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Flask

from tests.integration.gateway.conftest import Shop
from tests.support.together import together

CROWD = 12


def anew(app: Flask, shop: Shop) -> Shop:
    """The same shop on a client of its own: test clients are not shared by threads."""
    return Shop(app.test_client(), shop.tenant_id, shop.key)


def test_a_crowd_with_one_key_is_one_payment(app: Flask, shop: Shop, rows: Callable[..., list[Any]]) -> None:
    """Breaks when the key is looked up before it is claimed."""
    answers = together(CROWD, lambda _: anew(app, shop).initialize(key="crowd"))
    assert {answer.status_code for answer in answers} <= {201, 409}
    told = {answer.json["data"]["id"] for answer in answers if answer.status_code == 201}
    assert len(told) == 1
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 409)
    assert len(rows("SELECT id FROM payments WHERE tenant_id = :id", id=shop.tenant_id)) == 1
    assert shop.initialize(key="crowd").json["data"]["id"] in told


def test_a_crowd_of_refunds_gives_back_what_was_paid_and_no_more(
    app: Flask, shop: Shop, rows: Callable[..., list[Any]]
) -> None:
    """400 of 1,000 each: two may, whatever the order. Breaks when what is left is read without the payment's lock."""
    payment_id = shop.paid()["id"]
    shop.paid(amount=5000)  # so that the balance alone would allow more
    answers = together(CROWD, lambda _: anew(app, shop).refund(payment_id, amount="400.00"))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 2 and set(statuses) <= {200, 400, 409}
    data = shop.get(f"/{payment_id}").json["data"]
    assert (data["status"], Decimal(data["refunded_amount"])) == ("partially_refunded", Decimal(800))
    (held,) = rows("SELECT refund_reserved, refunded FROM payments WHERE id = :id", id=payment_id)
    assert tuple(held) == (80_000, 80_000)
