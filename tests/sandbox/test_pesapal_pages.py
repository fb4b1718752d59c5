"""Pesapal's pages: used by a customer's and a merchant's browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.support.pesapal_merchant import Merchant, click
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import served_sandbox


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with served_sandbox(tmp_path_factory.mktemp("pesapal"), autopay_s=None) as sandbox:
        yield sandbox


@pytest.fixture
def receiver() -> Iterator[CallbackReceiver]:
    with CallbackReceiver() as receiver:
        yield receiver


@pytest.fixture
def sandbox(running: RunningSandbox) -> RunningSandbox:
    running.reset()
    return running


@pytest.fixture
def merchant(sandbox: RunningSandbox, receiver: CallbackReceiver) -> Merchant:
    return Merchant(sandbox, f"{receiver.url}/ipn?shop=1").log_in()


def test_the_merchant_decides_refunds(merchant: Merchant, sandbox: RunningSandbox) -> None:
    order = merchant.order(amount=10000)
    click(order)
    assert merchant.refund(order, 7203)["status"] == "200"
    page = f"{sandbox.url}/pesapal/dashboard"
    assert order["merchant_reference"] in requests.get(page, timeout=30).text
    assert merchant.refund(order, 100)["message"] == "Refund request has been received already"
    requests.post(f"{page}/{order['order_tracking_id']}", data={"answer": "reject"}, timeout=30)
    assert merchant.status(order)["status_code"] == 1
    sandbox.control({"options": {"pesapal": {"approval": "manual"}}})
    assert merchant.refund(order, 100)["status"] == "200"  # a rejected refund can be requested again
    decision = {"answer": "approve"}
    requests.post(f"{page}/{order['order_tracking_id']}", data=decision, timeout=30)
    assert merchant.status(order)["status_code"] == 3
    assert requests.post(f"{page}/{order['order_tracking_id']}", data=decision, timeout=30).status_code == 404
    assert sandbox.book("pesapal")["totals"]["KES"]["refund"] == "100.00"


def test_a_form_without_a_choice_changes_nothing(merchant: Merchant, sandbox: RunningSandbox) -> None:
    order = merchant.order()
    assert click(order, "").status_code == 404 and click(order, "paid").status_code == 404
    assert merchant.status(order)["error"]["message"] == "Pending Payment"
    click(order)
    sandbox.control({"options": {"pesapal": {"approval": "manual"}}})
    merchant.refund(order, 100)
    page = f"{sandbox.url}/pesapal/dashboard/{order['order_tracking_id']}"
    assert requests.post(page, data={}, timeout=30).status_code == 404
    requests.post(page, data={"answer": "approve"}, timeout=30)
    assert merchant.status(order)["status_code"] == 3, "the refund was still waiting"


HTML_TEXT = "<script>alert(1)</script>\"'><img src=x>"


def test_pages_escape_texts(merchant: Merchant, sandbox: RunningSandbox) -> None:
    order = merchant.order(
        description=HTML_TEXT,
        callback_url=f"http://127.0.0.1:9/back?q={HTML_TEXT}",
        billing_address={"phone_number": "254712345678", "first_name": HTML_TEXT, "last_name": HTML_TEXT},
    )
    pages = [requests.get(order["redirect_url"], timeout=30)]
    click(order)
    pages.append(requests.get(order["redirect_url"], timeout=30))
    sandbox.control({"options": {"pesapal": {"approval": "manual"}}})
    merchant.refund(order, 100, username=HTML_TEXT, remarks=HTML_TEXT)
    pages.append(requests.get(f"{sandbox.url}/pesapal/dashboard", timeout=30))
    assert len([page for page in pages if "&lt;script&gt;" in page.text]) == 3
    for page in pages:
        assert "<script" not in page.text and "<img" not in page.text
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src" not in policy and "unsafe" not in policy
        assert page.headers["X-Content-Type-Options"] == "nosniff"
