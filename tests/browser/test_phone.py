"""The M-Pesa phone: a prompt comes, somebody types a PIN or does not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.browser.conftest import Shop
from tests.support.browser import Visitor


def _prompted(shop: Shop, customer: Visitor, amount: int) -> dict[str, object]:
    """A payment whose prompt the customer has opened on the phone."""
    payment = shop.orders("mpesa", str(amount), "KES")
    customer.opens(f"{shop.house.sandbox_url}/sandbox/phone")
    customer.follows(f"pay KES {amount} for")
    customer.sees(f"Do you want to pay KES {amount} to 174379")
    return payment


def test_a_pin_pays(shop: Shop, customer: Visitor) -> None:
    before = shop.takings("mpesa", "KES")
    payment = _prompted(shop, customer, 321)
    customer.types("M-Pesa PIN", "12")
    customer.presses("Send")
    customer.sees("A PIN has four digits.")
    customer.types("M-Pesa PIN", "1234")
    customer.presses("Send")
    customer.sees("confirmed. KES 321.00 paid to 174379")
    assert shop.hears(payment, "completed")["amount"] == "321.00"
    assert shop.takings("mpesa", "KES") - before == Decimal("321.00")


@pytest.mark.parametrize(
    ("amount", "pin", "button", "told"),
    [(322, "", "Cancel", "1032"), (323, "0000", "Send", "2001")],
    ids=["rejected", "wrong PIN"],
)
def test_a_refusal_takes_nothing(
    shop: Shop, customer: Visitor, amount: int, pin: str, button: str, told: str
) -> None:
    before = shop.takings("mpesa", "KES")
    payment = _prompted(shop, customer, amount)
    customer.types("M-Pesa PIN", pin)
    customer.presses(button)
    customer.sees(f"({told})")
    shop.hears(payment, "failed", "cancelled")
    assert shop.takings("mpesa", "KES") == before


def test_the_phone_can_be_taken_in_hand_and_put_down(shop: Shop, customer: Visitor) -> None:
    customer.opens(f"{shop.house.sandbox_url}/sandbox/phone")
    customer.types("Phone number", "254711111111")
    customer.presses("Hold")
    customer.sees("You hold 254711111111")
    customer.presses("Release")
    customer.sees_nothing_of("You hold 254711111111")
