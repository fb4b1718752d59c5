"""Refunds that wait for a decision: at the bank, and in the merchant's own dashboard."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import MerchantClient
from tests.support.browser import Visitor
from tests.support.waiting import wait_until

WAITS = "7203.00"
"""A refund of this amount stays open until it is decided."""


def _paid(merchant: MerchantClient, customer: Visitor, provider: str, currency: str) -> dict[str, Any]:
    payment = merchant.initialize(provider, WAITS, currency)
    customer.opens(payment["payment_url"])
    customer.presses("Pay", exact=False)
    return merchant.wait_for_status(payment, "completed")


def _becomes(merchant: MerchantClient, payment: dict[str, Any], state: str) -> None:
    wait_until(
        lambda: merchant.refund_of(payment)["status"] == state,
        f"the refund is {state}",
        every_s=0.2,
    )


@pytest.mark.parametrize(
    ("answer", "shown", "state", "status"),
    [
        ("The bank accepts it", "succeeded", "completed", "refunded"),
        ("The bank returns it", "failed", "failed", "completed"),
    ],
)
def test_the_bank_decides(
    merchant: MerchantClient, customer: Visitor, answer: str, shown: str, state: str, status: str
) -> None:
    payment = _paid(merchant, customer, "stripe", "USD")
    assert merchant.refund(payment)["status"] == "completed"
    refund = merchant.refund_of(payment)
    assert refund["status"] == "processing"
    customer.opens(f"{merchant.stack.sandbox_url}/stripe/bank/{refund['provider_refund_id']}")
    customer.sees("The refund is pending.")
    customer.presses(answer)
    customer.sees(f"The refund is now {shown}.")
    _becomes(merchant, payment, state)
    assert merchant.payment(payment["id"])["status"] == status


def test_the_merchant_approves(merchant: MerchantClient, customer: Visitor) -> None:
    payment = _paid(merchant, customer, "pesapal", "KES")
    assert merchant.refund(payment)["status"] == "completed"
    customer.opens(f"{merchant.stack.sandbox_url}/pesapal/dashboard")
    customer.sees("7203.00 KES")
    customer.presses("Approve")
    customer.sees("No refund is waiting.")
    _becomes(merchant, payment, "completed")
    assert merchant.payment(payment["id"])["status"] == "refunded"


def test_rejected_refund_moves_no_money(merchant: MerchantClient, customer: Visitor) -> None:
    """Pesapal does not report a refusal, so the refund stays open until it expires."""
    before = merchant.provider_total("pesapal", "KES", "refund")
    payment = _paid(merchant, customer, "pesapal", "KES")
    merchant.refund(payment)
    customer.opens(f"{merchant.stack.sandbox_url}/pesapal/dashboard")
    customer.presses("Reject")
    customer.sees("No refund is waiting.")
    merchant.quiet()
    assert merchant.refund_of(payment)["status"] == "processing"
    assert merchant.payment(payment["id"])["status"] == "completed"
    assert merchant.provider_total("pesapal", "KES", "refund") == before
