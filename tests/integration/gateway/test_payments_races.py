"""Simultaneous requests: one payment for a key, and refunds never exceed the payment."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Flask

from tests.integration.gateway.conftest import MerchantClient
from tests.support.concurrency import concurrently

SIMULTANEOUS = 12


def anew(app: Flask, merchant: MerchantClient) -> MerchantClient:
    """The same merchant with a client of its own: test clients are not shared by threads."""
    return MerchantClient(app.test_client(), merchant.tenant_id, merchant.key)


def test_simultaneous_requests_with_one_key_create_one_payment(
    app: Flask, merchant: MerchantClient, rows: Callable[..., list[Any]]
) -> None:
    """Breaks when the key is looked up before it is claimed."""
    answers = concurrently(SIMULTANEOUS, lambda _: anew(app, merchant).initialize(key="simultaneous"))
    assert {answer.status_code for answer in answers} <= {201, 409}
    payment_ids = {answer.json["data"]["id"] for answer in answers if answer.status_code == 201}
    assert len(payment_ids) == 1
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 409)
    assert len(rows("SELECT id FROM payments WHERE tenant_id = :id", id=merchant.tenant_id)) == 1
    assert merchant.initialize(key="simultaneous").json["data"]["id"] in payment_ids


def test_simultaneous_refunds_never_exceed_the_payment(
    app: Flask, merchant: MerchantClient, rows: Callable[..., list[Any]]
) -> None:
    """400 of 1,000 each: two succeed, in any order. Breaks when the remaining amount is read without the payment's
    lock."""
    payment_id = merchant.paid()["id"]
    merchant.paid(amount=5000)  # so that the balance alone would allow more
    answers = concurrently(SIMULTANEOUS, lambda _: anew(app, merchant).refund(payment_id, amount="400.00"))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 2 and set(statuses) <= {200, 400, 409}
    data = merchant.get(f"/{payment_id}").json["data"]
    assert (data["status"], Decimal(data["refunded_amount"])) == ("partially_refunded", Decimal(800))
    (held,) = rows("SELECT refund_reserved, refunded FROM payments WHERE id = :id", id=payment_id)
    assert tuple(held) == (80_000, 80_000)
