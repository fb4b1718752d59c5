"""The page customers come back to, in front of one who waits, and whose browser runs no JavaScript."""

from __future__ import annotations

import requests

from tests.browser.conftest import MakeVisitor, Shop


def test_it_tells_by_itself_when_the_payment_is_done(shop: Shop, make_visitor: MakeVisitor) -> None:
    payment = shop.orders("stripe", "61.00", "USD")
    waiting, paying = make_visitor(java_script_enabled=False), make_visitor()
    waiting.opens(shop.return_page(payment))
    waiting.sees("The payment is being processed.")
    paying.opens(payment["payment_url"])
    paying.presses("Pay 61.00 USD")
    paying.is_at(shop.return_page(payment))
    waiting.sees("The payment is completed.")
    paying.sees("The payment is completed.")


def test_it_says_when_nothing_was_paid(shop: Shop, make_visitor: MakeVisitor) -> None:
    payment = shop.orders("pesapal", "61.00", "KES")
    waiting = make_visitor(java_script_enabled=False)
    waiting.opens(shop.return_page(payment))
    waiting.sees("The payment is being processed.")
    url = f"{shop.stack.url}/api/v1/payments/{payment['id']}/cancel"
    assert requests.post(url, headers=shop.headers, timeout=30).status_code == 200
    waiting.sees("The payment has failed")
    waiting.sees("Nothing was paid.")
