"""The M-Pesa phone: a prompt appears, and the user types a PIN or does not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.browser.conftest import MerchantClient
from tests.support.browser import Visitor


def _prompted(merchant: MerchantClient, customer: Visitor, amount: int) -> dict[str, object]:
    """A payment whose prompt the customer has opened on the phone."""
    payment = merchant.initialize("mpesa", str(amount), "KES")
    customer.opens(f"{merchant.stack.sandbox_url}/sandbox/phone")
    customer.follows(f"pay KES {amount} for")
    customer.sees(f"Do you want to pay KES {amount} to 174379")
    return payment


def test_a_pin_pays(merchant: MerchantClient, customer: Visitor) -> None:
    before = merchant.provider_total("mpesa", "KES")
    payment = _prompted(merchant, customer, 321)
    customer.types("M-Pesa PIN", "12")
    customer.presses("Send")
    customer.sees("A PIN has four digits.")
    customer.types("M-Pesa PIN", "1234")
    customer.presses("Send")
    customer.sees("confirmed. KES 321.00 paid to 174379")
    assert merchant.wait_for_status(payment, "completed")["amount"] == "321.00"
    assert merchant.provider_total("mpesa", "KES") - before == Decimal("321.00")


@pytest.mark.parametrize(
    ("amount", "pin", "button", "message"),
    [(322, "", "Cancel", "1032"), (323, "0000", "Send", "2001")],
    ids=["rejected", "wrong PIN"],
)
def test_a_refusal_takes_nothing(
    merchant: MerchantClient, customer: Visitor, amount: int, pin: str, button: str, message: str
) -> None:
    before = merchant.provider_total("mpesa", "KES")
    payment = _prompted(merchant, customer, amount)
    customer.types("M-Pesa PIN", pin)
    customer.presses(button)
    customer.sees(f"({message})")
    merchant.wait_for_status(payment, "failed", "cancelled")
    assert merchant.provider_total("mpesa", "KES") == before


def test_phone_can_be_controlled_and_released(merchant: MerchantClient, customer: Visitor) -> None:
    customer.opens(f"{merchant.stack.sandbox_url}/sandbox/phone")
    customer.types("Phone number", "254711111111")
    customer.presses("Hold")
    customer.sees("You hold 254711111111")
    customer.presses("Release")
    customer.sees_nothing_of("You hold 254711111111")
