"""Every hosted page in a browser, from `payment_url` to the status that the merchant reads."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.browser.conftest import MerchantClient
from tests.support.browser import Visitor


def test_stripe_takes_a_good_card(merchant: MerchantClient, customer: Visitor) -> None:
    payment = merchant.initialize("stripe", "50.00", "USD")
    customer.opens(payment["payment_url"])
    customer.sees("50.00 USD")
    customer.presses("Pay 50.00 USD")
    customer.is_at(merchant.return_page(payment))
    customer.sees("Thank you")
    assert merchant.wait_for_status(payment, "completed")["amount"] == "50.00"


def test_stripe_declines_a_card_and_takes_the_next(merchant: MerchantClient, customer: Visitor) -> None:
    before = merchant.provider_total("stripe", "USD")
    payment = merchant.initialize("stripe", "51.00", "USD")
    customer.opens(payment["payment_url"])
    customer.types("Card number", "4000 0000 0000 9995")
    customer.presses("Pay 51.00 USD")
    customer.sees("Your card has insufficient funds.")
    assert merchant.provider_total("stripe", "USD") == before
    customer.types("Card number", "4242 4242 4242 4242")
    customer.presses("Pay 51.00 USD")
    customer.is_at(merchant.return_page(payment))
    merchant.wait_for_status(payment, "completed")
    assert merchant.provider_total("stripe", "USD") - before == Decimal("51.00")


def test_stripe_asks_the_bank(merchant: MerchantClient, customer: Visitor) -> None:
    payment = merchant.initialize("stripe", "52.00", "USD")
    customer.opens(payment["payment_url"])
    for answer in ("Fail authentication", "Complete authentication"):
        customer.types("Card number", "4000 0027 6000 3184")
        customer.presses("Pay 52.00 USD")
        customer.sees("Your bank asks")
        customer.presses(answer)
        if answer.startswith("Fail"):
            customer.sees("has failed authentication")
            merchant.quiet()
            assert merchant.payment(payment["id"])["status"] == "processing"
    customer.is_at(merchant.return_page(payment))
    merchant.wait_for_status(payment, "completed")


def test_chapa_takes_a_wallet_with_its_code(merchant: MerchantClient, customer: Visitor) -> None:
    payment = merchant.initialize("chapa", "500.00", "ETB")
    customer.opens(payment["payment_url"])
    customer.chooses("Wallet", "telebirr")
    customer.types("Phone number", "0900123456")
    customer.presses("Pay by wallet")
    customer.types("Code", "99999")
    customer.presses("Confirm")
    customer.sees("That code is not right.")
    customer.types("Code", "12345")
    customer.presses("Confirm")
    customer.is_at(merchant.return_page(payment))
    assert merchant.wait_for_status(payment, "completed")["amount"] == "500.00"


def test_chapa_declines_a_card_and_takes_the_next(merchant: MerchantClient, customer: Visitor) -> None:
    payment = merchant.initialize("chapa", "501.00", "ETB")
    customer.opens(payment["payment_url"])
    customer.types("Card number", "4000 0000 0000 0002")
    customer.presses("Pay by card")
    customer.sees("The card was declined.")
    customer.types("Card number", "4242 4242 4242 4242")
    customer.presses("Pay by card")
    customer.is_at(merchant.return_page(payment))
    assert merchant.wait_for_status(payment, "completed")["amount"] == "501.00"


def test_chapa_is_cancelled(merchant: MerchantClient, customer: Visitor) -> None:
    before = merchant.provider_total("chapa", "ETB")
    payment = merchant.initialize("chapa", "502.00", "ETB")
    customer.opens(payment["payment_url"])
    customer.presses("Cancel the payment")
    customer.is_at(merchant.return_page(payment))
    customer.opens(payment["payment_url"])
    customer.sees("The payment was cancelled.")
    merchant.wait_for_status(payment, "processing")
    assert merchant.provider_total("chapa", "ETB") == before


def test_paystack_asks_for_pin_and_code(merchant: MerchantClient, customer: Visitor) -> None:
    payment = merchant.initialize("paystack", "5000.00", "NGN")
    customer.opens(payment["payment_url"])
    customer.types("Card number", "5060 6666 6666 6666 666")
    customer.types("CVV", "123")
    customer.presses("Pay by card")
    customer.types("Card PIN", "1234")
    customer.presses("Continue")
    customer.types("One-time code", "123456")
    customer.presses("Continue")
    customer.is_at(merchant.return_page(payment))
    assert merchant.wait_for_status(payment, "completed")["amount"] == "5000.00"


def test_paystack_takes_another_card_after_a_wrong_pin(merchant: MerchantClient, customer: Visitor) -> None:
    before = merchant.provider_total("paystack", "NGN")
    payment = merchant.initialize("paystack", "5001.00", "NGN")
    customer.opens(payment["payment_url"])
    customer.types("Card number", "507850785078507812")
    customer.types("CVV", "081")
    customer.presses("Pay by card")
    customer.types("Card PIN", "9999")
    customer.presses("Continue")
    customer.sees("Incorrect PIN. You can try again.")
    customer.types("Card number", "4084 0840 8408 4081")
    customer.types("CVV", "408")
    customer.presses("Pay by card")
    customer.is_at(merchant.return_page(payment))
    merchant.wait_for_status(payment, "completed")
    assert merchant.provider_total("paystack", "NGN") - before == Decimal("5001.00")


def test_paystack_takes_mobile_money(merchant: MerchantClient, customer: Visitor) -> None:
    payment = merchant.initialize("paystack", "700.00", "KES")
    customer.opens(payment["payment_url"])
    customer.types("Phone number", "+254710000000")
    customer.presses("Pay by M-PESA")
    customer.is_at(merchant.return_page(payment))
    assert merchant.wait_for_status(payment, "completed")["amount"] == "700.00"


def test_paystack_lets_a_customer_leave_and_pay_after_all(
    merchant: MerchantClient, customer: Visitor
) -> None:
    payment = merchant.initialize("paystack", "5002.00", "NGN")
    customer.opens(payment["payment_url"])
    customer.presses("Cancel")
    customer.is_at(merchant.return_page(payment))
    customer.sees("is being processed")
    customer.opens(payment["payment_url"])
    customer.presses("Pay from the test bank")
    customer.is_at(merchant.return_page(payment))
    assert merchant.wait_for_status(payment, "completed")["amount"] == "5002.00"


@pytest.mark.parametrize("method", ["Visa (card)", "MpesaKE (mobile money)"])
def test_pesapal_takes(merchant: MerchantClient, customer: Visitor, method: str) -> None:
    payment = merchant.initialize("pesapal", "800.00", "KES")
    customer.opens(payment["payment_url"])
    customer.chooses("Pay with", method)
    customer.presses("Pay 800.00 KES")
    customer.is_at(merchant.return_page(payment))
    assert merchant.wait_for_status(payment, "completed")["amount"] == "800.00"


def test_pesapal_is_cancelled(merchant: MerchantClient, customer: Visitor) -> None:
    before = merchant.provider_total("pesapal", "KES")
    payment = merchant.initialize("pesapal", "801.00", "KES")
    customer.opens(payment["payment_url"])
    customer.presses("Cancel")
    customer.is_at(merchant.return_page(payment))
    merchant.quiet()
    assert merchant.provider_total("pesapal", "KES") == before
    assert merchant.payment(payment["id"])["status"] != "completed"


@pytest.mark.parametrize("provider", ["stripe", "chapa", "paystack", "pesapal"])
def test_a_page_is_good_for_one_payment(merchant: MerchantClient, customer: Visitor, provider: str) -> None:
    currency, button = {
        "stripe": ("USD", "Pay"),
        "chapa": ("ETB", "Pay by wallet"),
        "paystack": ("NGN", "Pay from the test bank"),
        "pesapal": ("KES", "Pay"),
    }[provider]
    payment = merchant.initialize(provider, "900.00", currency)
    customer.opens(payment["payment_url"])
    customer.presses(button, exact=False)
    if provider == "chapa":
        customer.types("Code", "12345")
        customer.presses("Confirm")
    merchant.wait_for_status(payment, "completed")
    customer.opens(payment["payment_url"])
    assert customer.page.get_by_role("button").count() == 0, "a paid page still offers to pay"
