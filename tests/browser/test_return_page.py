"""The return page, with a customer who waits, and with a browser without JavaScript."""

from __future__ import annotations

import requests

from tests.browser.conftest import MakeVisitor, MerchantClient


def test_return_page_updates_when_the_payment_completes(
    merchant: MerchantClient, make_visitor: MakeVisitor
) -> None:
    payment = merchant.initialize("stripe", "61.00", "USD")
    waiting, paying = make_visitor(java_script_enabled=False), make_visitor()
    waiting.opens(merchant.return_page(payment))
    waiting.sees("The payment is being processed.")
    paying.opens(payment["payment_url"])
    paying.presses("Pay 61.00 USD")
    paying.is_at(merchant.return_page(payment))
    waiting.sees("The payment is completed.")
    paying.sees("The payment is completed.")


def test_return_page_shows_a_failed_payment(merchant: MerchantClient, make_visitor: MakeVisitor) -> None:
    payment = merchant.initialize("pesapal", "61.00", "KES")
    waiting = make_visitor(java_script_enabled=False)
    waiting.opens(merchant.return_page(payment))
    waiting.sees("The payment is being processed.")
    url = f"{merchant.stack.url}/api/v1/payments/{payment['id']}/cancel"
    assert requests.post(url, headers=merchant.headers, timeout=30).status_code == 200
    waiting.sees("The payment has failed")
    waiting.sees("Nothing was paid.")
