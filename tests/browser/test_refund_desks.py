"""Refunds that wait for a person: at the bank, and on the merchant's own dashboard."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Shop
from tests.support.browser import Visitor
from tests.support.waiting import wait_until

WAITS = "7203.00"
"""A refund of this amount stays open until somebody decides."""


def _paid(shop: Shop, customer: Visitor, provider: str, currency: str) -> dict[str, Any]:
    payment = shop.orders(provider, WAITS, currency)
    customer.opens(payment["payment_url"])
    customer.presses("Pay", exact=False)
    return shop.hears(payment, "completed")


def _becomes(shop: Shop, payment: dict[str, Any], state: str) -> None:
    wait_until(
        lambda: shop.refund_of(payment)["status"] == state,
        f"the refund is {state}",
        every_s=0.2,
    )


@pytest.mark.parametrize(
    ("answer", "told", "state", "status"),
    [
        ("The bank accepts it", "succeeded", "completed", "refunded"),
        ("The bank returns it", "failed", "failed", "completed"),
    ],
)
def test_the_bank_decides(
    shop: Shop, customer: Visitor, answer: str, told: str, state: str, status: str
) -> None:
    payment = _paid(shop, customer, "stripe", "USD")
    assert shop.refunds(payment)["status"] == "completed"
    refund = shop.refund_of(payment)
    assert refund["status"] == "processing"
    customer.opens(f"{shop.house.sandbox_url}/stripe/bank/{refund['provider_refund_id']}")
    customer.sees("The refund is pending.")
    customer.presses(answer)
    customer.sees(f"The refund is now {told}.")
    _becomes(shop, payment, state)
    assert shop.payment(payment["id"])["status"] == status


def test_the_merchant_approves(shop: Shop, customer: Visitor) -> None:
    payment = _paid(shop, customer, "pesapal", "KES")
    assert shop.refunds(payment)["status"] == "completed"
    customer.opens(f"{shop.house.sandbox_url}/pesapal/dashboard")
    customer.sees("7203.00 KES")
    customer.presses("Approve")
    customer.sees("No refund is waiting.")
    _becomes(shop, payment, "completed")
    assert shop.payment(payment["id"])["status"] == "refunded"


def test_the_merchant_rejects_and_nothing_is_given_back(shop: Shop, customer: Visitor) -> None:
    """Pesapal tells nobody of a refusal, so the refund stays open until its time is over."""
    before = shop.takings("pesapal", "KES", "refund")
    payment = _paid(shop, customer, "pesapal", "KES")
    shop.refunds(payment)
    customer.opens(f"{shop.house.sandbox_url}/pesapal/dashboard")
    customer.presses("Reject")
    customer.sees("No refund is waiting.")
    shop.quiet()
    assert shop.refund_of(payment)["status"] == "processing"
    assert shop.payment(payment["id"])["status"] == "completed"
    assert shop.takings("pesapal", "KES", "refund") == before
