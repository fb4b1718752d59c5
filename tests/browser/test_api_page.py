"""The API's page: a merchant initializes a payment and refunds it from the browser."""

from __future__ import annotations

import json
import uuid
from typing import Any

from playwright.sync_api import Locator, Page

from app.http.guards import API_KEY_HEADER
from tests.browser.conftest import MakeVisitor, MerchantClient
from tests.support.stack import Stack
from tests.support.waiting import wait_until

BODY = {
    "provider": "cpay",
    "amount": "640.00",
    "currency": "KES",
    "customer": {"phone": "+254708374149"},
}


def test_a_merchant_initializes_and_refunds_with_a_fresh_key_each_time(
    merchant: MerchantClient, stack: Stack, make_visitor: MakeVisitor
) -> None:
    page = make_visitor(may_hold_styles=True).page
    page.goto(f"{stack.url}/docs")
    _authorize(page, merchant.headers[API_KEY_HEADER])
    initialize = _tried(page, "/api/v1/payments/initialize")
    first_key = _key(initialize)
    initialize.locator("textarea").fill(json.dumps(BODY))
    first, second = _executed(initialize), _executed(initialize)
    assert first["idempotency_key"] == first_key
    assert len({first["id"], second["id"]}) == 2, "a second try is another payment"
    assert _key(initialize) not in (first_key, second["idempotency_key"])

    refund = _tried(page, "/api/v1/payments/{payment_id}/refund")
    assert _key(refund) != first_key
    refund.get_by_placeholder("payment_id").fill(first["id"])
    refund.locator("textarea").fill(json.dumps({"amount": "140.00"}))
    refunded = _executed(refund)
    assert refunded["id"] == first["id"]
    wait_until(
        lambda: merchant.payment(first["id"])["status"] == "partially_refunded",
        "the refund is done",
        every_s=0.2,
    )


def test_keys_are_made_without_a_secure_context_too(
    merchant: MerchantClient, stack: Stack, make_visitor: MakeVisitor
) -> None:
    page = make_visitor(may_hold_styles=True).page
    page.add_init_script("Object.defineProperty(crypto, 'randomUUID', {value: undefined})")
    page.goto(f"{stack.url}/docs")
    key = uuid.UUID(_key(_tried(page, "/api/v1/payments/initialize")))
    assert key.version == 4 and key.variant == uuid.RFC_4122


def _authorize(page: Page, api_key: str) -> None:
    page.get_by_role("button", name="Authorize", exact=True).first.click()
    box = page.locator(".auth-container", has_text=f"Name: {API_KEY_HEADER}")
    box.locator("input").fill(api_key)
    box.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").last.click()


def _tried(page: Page, path: str) -> Locator:
    """The operation, unfolded, with its fields open."""
    summary = page.locator(".opblock-summary-path", has=page.get_by_text(path, exact=True))
    block = page.locator(".opblock-post", has=summary).first
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    return block


def _key(block: Locator) -> str:
    return block.get_by_placeholder("Idempotency-Key").input_value()


def _executed(block: Locator) -> dict[str, Any]:
    """What the API answered."""
    with block.page.expect_response(lambda answer: answer.request.method == "POST") as caught:
        block.locator("button.execute").click()
    answer = caught.value
    assert answer.ok, answer.text()
    block.locator(".live-responses-table").wait_for()
    data: dict[str, Any] = answer.json()["data"]
    return data
