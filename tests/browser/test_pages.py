"""What holds of pages whatever the provider: whose turn it is, no scripts, the way back, the index, the API's page."""

from __future__ import annotations

import pytest
import requests

from tests.browser.conftest import MakeVisitor, MerchantClient
from tests.support.browser import Visitor, faults_in
from tests.support.waiting import wait_until

SCRIPT = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"
AUTOPAY_S = 60


def _sent(merchant: MerchantClient) -> int:
    """How often the simulators have sent a callback."""
    callbacks = requests.get(f"{merchant.stack.sandbox_url}/sandbox/callbacks", timeout=30).json()[
        "callbacks"
    ]
    return sum(callback["attempts"] for callback in callbacks)


def test_opening_the_page_stops_autopay(merchant: MerchantClient, customer: Visitor) -> None:
    """Two payments of one kind; the sandbox's time passes; only the one whose page was not opened is paid by autopay."""
    merchant.control({"autopay_s": AUTOPAY_S})
    try:
        left_alone, opened = (merchant.initialize("chapa", amount, "ETB") for amount in ("610.00", "611.00"))
        customer.opens(opened["payment_url"])
        merchant.control({"advance_s": AUTOPAY_S + 1})
        merchant.wait_for_status(left_alone, "completed")
        merchant.quiet()
        assert merchant.payment(opened["id"])["status"] == "processing"
        customer.types("Card number", "4242424242424242")
        customer.presses("Pay by card")
        merchant.wait_for_status(opened, "completed")
    finally:
        merchant.control({"autopay_s": "off", "advance_s": 0})


def test_customer_can_pay_without_javascript(merchant: MerchantClient, make_visitor: MakeVisitor) -> None:
    customer = make_visitor(java_script_enabled=False)
    payment = merchant.initialize("paystack", "620.00", "KES")
    customer.opens(payment["payment_url"])
    customer.presses("Pay by M-PESA")
    customer.is_at(merchant.return_page(payment))
    merchant.wait_for_status(payment, "completed")
    customer.opens(merchant.return_page(payment))
    customer.sees("The payment is completed.")


def test_a_phone_sees_the_whole_page(merchant: MerchantClient, make_visitor: MakeVisitor) -> None:
    customer = make_visitor(viewport={"width": 360, "height": 640})
    pages = [
        merchant.initialize(name, "630.00", currency)["payment_url"]
        for name, currency in (("stripe", "USD"), ("chapa", "ETB"), ("paystack", "NGN"), ("pesapal", "KES"))
    ]
    for url in [
        *pages,
        f"{merchant.stack.sandbox_url}/sandbox/",
        f"{merchant.stack.sandbox_url}/sandbox/phone",
    ]:
        customer.opens(url)
        assert customer.page.evaluate("document.documentElement.scrollWidth") <= 360, url


@pytest.mark.parametrize(("provider", "currency"), [("chapa", "ETB"), ("pesapal", "KES")])
def test_a_script_in_a_name_is_text(
    merchant: MerchantClient, customer: Visitor, provider: str, currency: str
) -> None:
    who = {"phone": "+254708374149", "email": "jane@example.com", "name": SCRIPT}
    payment = merchant.initialize(provider, "640.00", currency, customer=who)
    customer.opens(payment["payment_url"])
    assert "document.title='taken'" in customer.page.locator("main").inner_text()
    assert customer.page.title() != "taken"


def test_the_index_leads_to_payments_and_sends_callbacks_again(
    merchant: MerchantClient, customer: Visitor
) -> None:
    payment = merchant.initialize("pesapal", "650.00", "KES")
    customer.opens(f"{merchant.stack.sandbox_url}/sandbox/")
    customer.page.get_by_role("row", name="650.00 KES").get_by_role("link").first.click()
    customer.is_at(payment["payment_url"])
    customer.presses("Pay", exact=False)
    merchant.wait_for_status(payment, "completed")
    merchant.quiet()
    customer.opens(f"{merchant.stack.sandbox_url}/sandbox/")
    before = _sent(merchant)
    customer.presses("Send again")
    customer.is_at(f"{merchant.stack.sandbox_url}/sandbox/")
    wait_until(lambda: _sent(merchant) > before, "the callback is sent again")
    assert merchant.payment(payment["id"])["status"] == "completed"


def test_every_provider_is_on_the_index(merchant: MerchantClient, customer: Visitor) -> None:
    customer.opens(f"{merchant.stack.sandbox_url}/sandbox/")
    for title in ("M-Pesa", "Stripe", "Chapa", "Paystack", "Pesapal"):
        assert customer.page.get_by_role("heading", name=title).count() == 1, title
    customer.follows("The M-Pesa phone")
    customer.is_at(f"{merchant.stack.sandbox_url}/sandbox/phone")


def test_the_api_page_opens_and_calls_the_api(merchant: MerchantClient, make_visitor: MakeVisitor) -> None:
    reader = make_visitor(may_hold_styles=True)
    reader.page.goto(f"{merchant.stack.url}/docs")
    row = reader.page.locator(".opblock-summary-path", has_text="/api/v1/payments/initialize")
    row.first.wait_for()
    health = reader.page.locator(".opblock", has=reader.page.get_by_text("/health/live", exact=True)).first
    health.locator(".opblock-summary").click()
    health.get_by_role("button", name="Try it out").click()
    health.get_by_role("button", name="Execute").click()
    health.locator(".live-responses-table").wait_for()
    assert any(url.endswith("/health/live") for url in reader.asked)


def test_links_to_nowhere_are_pages_or_sentences(merchant: MerchantClient) -> None:
    for path in (
        "stripe/c/pay/cs_none",
        "chapa/checkout/payment/none",
        "paystack/checkout/none",
        "pesapal/iframe/none",
        "sandbox/phone/none",
    ):
        answer = requests.get(f"{merchant.stack.sandbox_url}/{path}", timeout=30)
        assert answer.status_code == 404 and answer.text.strip() and "Traceback" not in answer.text, path


def test_page_checks_detect_violations(chromium, stack) -> None:
    """These checks are worth something only if they can fail."""
    page = chromium.new_context().new_page()
    watched = Visitor(page, hosts=frozenset())
    page.set_content("<img src='http://elsewhere.invalid/x.png'><script>throw new Error('oh')</script>")
    wait_until(lambda: page.wait_for_timeout(20) or len(watched.faults) >= 2, "the watch sees both")
    assert any("elsewhere.invalid" in fault for fault in watched.faults)
    assert any("oh" in fault for fault in watched.faults)
    page.context.close()
    assert faults_in("<p style='x' onclick='y'><a href='javascript:z'>a</a><script>1</script>") != []
