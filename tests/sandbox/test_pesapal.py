"""Pesapal's simulator, used by a merchant's program and a customer's browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.support.pesapal_merchant import KEYS, NULLS, Merchant, acknowledge, click
from tests.support.sandbox import CallbackReceiver, RunningSandbox
from tests.support.sandbox_parts import ServedSandbox, served_sandbox
from tests.support.waiting import wait_until


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


def test_a_token_expires_after_five_minutes(merchant: Merchant, sandbox: RunningSandbox) -> None:
    answer = merchant.call("/Auth/RequestToken", KEYS)
    body = answer.json()
    assert (answer.status_code, body["status"], body["error"]) == (200, "200", None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", body["expiryDate"])
    end = datetime.fromisoformat(body["expiryDate"][:26] + "+00:00")
    assert 290 < end.timestamp() - datetime.now(end.tzinfo).timestamp() < 301
    sandbox.control({"advance_s": 290})
    assert merchant.call("/URLSetup/GetIpnList").json() == []
    sandbox.control({"advance_s": 301})
    late = merchant.call("/URLSetup/GetIpnList")
    error = {
        "error_type": "authentication_error",
        "code": "invalid_api_credentials_provided",
        "message": "Invalid Access Token",
    }
    assert (late.status_code, late.json()) == (500, {"error": error}), "as it was recorded: without a status"
    merchant.token = "guessed"
    assert merchant.call("/Transactions/GetTransactionStatus", orderTrackingId="x").json() == {"error": error}


def test_wrong_keys_are_http_200(merchant: Merchant) -> None:
    answer = merchant.call("/Auth/RequestToken", {**KEYS, "consumer_secret": "no"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "500" and "token" not in body
    assert body["error"] == {
        "error_type": "api_error",
        "code": "invalid_consumer_key_or_secret_provided",
        "message": "",
    }


def test_ipn_registration(merchant: Merchant) -> None:
    first = merchant.register("GET")
    assert merchant.register("GET") == first  # harmless
    assert merchant.register("POST") != first
    listed = merchant.call("/URLSetup/GetIpnList").json()
    assert [entry["ipn_notification_type_description"] for entry in listed] == ["GET", "POST"]
    assert listed[0]["url"] == merchant.hook and listed[0]["ipn_status_decription"] == "Active"
    for wrong in ({"url": "nowhere"}, {"ipn_notification_type": "PUT"}):
        body = {"url": merchant.hook, "ipn_notification_type": "GET", **wrong}
        answer = merchant.call("/URLSetup/RegisterIPN", body)
        assert (answer.status_code, answer.json()["status"]) == (200, "500")


def test_a_card_pays(merchant: Merchant, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    order = merchant.order()
    acknowledge(receiver, order)
    before = merchant.status(order)
    assert (before["status"], before["status_code"]) == ("500", 0)
    assert (before["error"]["code"], before["error"]["message"]) == (
        "payment_details_not_found",
        "Pending Payment",
    )
    page = requests.get(order["redirect_url"], timeout=30).text
    assert "1250.50 KES" in page and "no real money" in page

    back = urlsplit(click(order).headers["Location"])
    assert (back.netloc, back.path) == ("127.0.0.1:9", "/back")
    named = {
        "OrderTrackingId": [order["order_tracking_id"]],
        "OrderMerchantReference": ["order-1"],
        "OrderNotificationType": ["CALLBACKURL"],
    }
    assert parse_qs(back.query) == named
    paid = merchant.status(order)
    assert (paid["status_code"], paid["payment_status_description"], paid["status"]) == (
        1,
        "Completed",
        "200",
    )
    assert (paid["amount"], paid["currency"], paid["merchant_reference"]) == (1250.5, "KES", "order-1")
    assert (paid["error"], paid["payment_method"]) == (NULLS, "Visa")
    (ipn,) = receiver.wait_for(1, path="/ipn")
    assert ipn.method == "POST"
    assert json.loads(ipn.body) == {
        "OrderTrackingId": order["order_tracking_id"],
        "OrderMerchantReference": "order-1",
        "OrderNotificationType": "IPNCHANGE",
    }
    assert sandbox.book("pesapal", "order-1")["totals"]["KES"]["charge"] == "1250.50"
    assert click(order).status_code == 404 and len(sandbox.book("pesapal")["entries"]) == 1


def test_an_ipn_by_get_until_it_is_acknowledged(
    merchant: Merchant, sandbox: ServedSandbox, receiver: CallbackReceiver
) -> None:
    merchant.register("GET")
    order = merchant.order()
    acknowledge(receiver, order, status=500)  # HTTP 200, but status 500 in the body
    click(order)
    first, second, *_ = sandbox.until(
        lambda: len(receiver.of("/ipn")) > 1 and receiver.of("/ipn"), "two IPNs"
    )
    assert first.method == "GET" and first.path == second.path
    query = parse_qs(urlsplit(first.path).query)
    assert query["shop"] == ["1"] and query["OrderNotificationType"] == ["IPNCHANGE"]
    acknowledge(receiver, order)
    sandbox.until(lambda: sandbox.callbacks("pesapal")[0]["status"] == "delivered", "it is delivered")


def test_an_order_can_be_paid_after_a_failed_attempt(merchant: Merchant, sandbox: RunningSandbox) -> None:
    order = merchant.order(cancellation_url="http://127.0.0.1:9/sorry")
    assert click(order, "fail").headers["Location"].startswith("http://127.0.0.1:9/back?")
    failed = merchant.status(order)
    assert (failed["status_code"], failed["payment_status_description"], failed["status"]) == (
        2,
        "Failed",
        "200",
    )
    assert failed["description"] == "The payment was declined by the bank."
    assert "You can try again." in requests.get(order["redirect_url"], timeout=30).text
    assert click(order, "cancel").headers["Location"].startswith("http://127.0.0.1:9/sorry?")
    assert merchant.status(order)["payment_status_code"] == "request_terminated_by_user"
    assert sandbox.book("pesapal")["entries"] == []
    click(order, method="MpesaKE")
    paid = merchant.status(order)
    assert (paid["status_code"], paid["payment_method"], paid["description"]) == (1, "MpesaKE", None)


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"id": "x" * 51}, "invalid_merchant_reference", "500"),
        ({"id": "no spaces"}, "invalid_merchant_reference", "500"),
        ({"id": ""}, "missing_id", "500"),
        ({"currency": "XTS"}, "invalid_currency", "500"),
        ({"amount": "100"}, "invalid_amount", "500"),
        ({"amount": 0}, "invalid_amount", "500"),
        ({"amount": 1.005}, "invalid_amount", "500"),
        ({"description": "x" * 101}, "invalid_description", "500"),
        ({"callback_url": "back"}, "invalid_callback_url", "500"),
        ({"notification_id": "6f0f8bd6-0000-4000-8000-000000000000"}, "InvalidIpnId", "500"),
        ({"billing_address": {"first_name": "A"}}, "invalid_billing_address", "500"),
        ({"billing_address": None}, "missing_billing_address", "500"),
        ({"billing_address": {"phone_number": "call me"}}, "invalid_phone_number", "500"),
        ({"redirect_mode": "SIDEWAYS"}, "invalid_redirect_mode", "500"),
    ],
)
def test_wrong_orders_are_http_200(
    merchant: Merchant, change: dict[str, Any], code: str, status: str
) -> None:
    merchant.order(id="order-used")
    answer = merchant.call("/Transactions/SubmitOrderRequest", merchant.body(**change))
    body = answer.json()
    assert (answer.status_code, body["status"], body["error"]["code"]) == (200, status, code)
    assert body["error"]["message"] and "redirect_url" not in body


def test_cancelling(merchant: Merchant, sandbox: RunningSandbox) -> None:
    order = merchant.order()
    body = {"order_tracking_id": order["order_tracking_id"]}
    assert merchant.call("/Transactions/CancelOrder", body).json()["status"] == "200"
    assert merchant.call("/Transactions/CancelOrder", body).json()["status"] == "500"
    assert click(order).status_code == 404
    gone = merchant.status(order)
    assert (gone["status_code"], gone["payment_status_description"], gone["status"]) == (0, "INVALID", "200")
    paid = merchant.order()
    click(paid)
    body = {"order_tracking_id": paid["order_tracking_id"]}
    assert merchant.call("/Transactions/CancelOrder", body).json()["status"] == "500"
    assert merchant.status(paid)["status_code"] == 1
    assert merchant.call("/Transactions/CancelOrder", {"order_tracking_id": "?"}).json()["status"] == "500"
    assert len(sandbox.book("pesapal")["entries"]) == 1


def test_a_refund_is_approved_and_changes_the_status(merchant: Merchant, sandbox: RunningSandbox) -> None:
    order = merchant.order()
    assert merchant.refund(order, 100)["status"] == "500"  # the order is not paid yet
    click(order)
    for wrong in ({"amount": 1250.51}, {"username": ""}, {"confirmation_code": order["order_tracking_id"]}):
        assert merchant.refund(order, 100, **wrong)["status"] == "500"
    assert merchant.refund(order, 0, amount="two")["error"]["code"] == "invalid_amount"
    asked = merchant.refund(order, 0, amount="250.50")  # as in the sample of the documents
    assert asked == {"status": "200", "message": "Refund request successfully"}
    again = merchant.refund(order, 250.5)
    assert again["status"] == "500" and ("error" in again or "received already" in again["message"])
    wait_until(lambda: merchant.status(order)["status_code"] == 3, "the refund is approved")
    assert merchant.status(order)["payment_status_description"] == "Reversed"
    totals = sandbox.book("pesapal", order["merchant_reference"])["totals"]["KES"]
    assert (totals["refund"], totals["net"]) == ("250.50", "1000.00")
    assert merchant.refund(order, 100)["status"] == "500"


def test_mobile_money_is_refunded_in_full_only(merchant: Merchant) -> None:
    order = merchant.order(amount=500)
    click(order, method="MpesaKE")
    assert merchant.refund(order, 499)["error"]["message"].startswith("Mobile money")
    assert merchant.refund(order, 500)["status"] == "200"


def test_the_simulated_customer_pays(merchant: Merchant, sandbox: RunningSandbox) -> None:
    sandbox.control({"autopay_s": 0.1})
    orders = {amount: merchant.order(amount=amount) for amount in (100, 7130, 7101, 7102, 7103, 7104)}

    def codes() -> dict[int, int]:
        return {amount: merchant.status(order)["status_code"] for amount, order in orders.items()}

    wait_until(lambda: list(codes().values()).count(0) == 1, "all orders but one have ended")
    assert codes() == {100: 1, 7130: 1, 7101: 2, 7102: 2, 7103: 0, 7104: 2}
    assert merchant.status(orders[7130])["payment_method"] == "MpesaKE"
    assert merchant.status(orders[7101])["payment_status_code"] == "insufficient_funds"
    assert merchant.status(orders[7103])["error"]["message"] == "Pending Payment"
    sandbox.control({"autopay_s": 60})
    watched = merchant.order()
    requests.get(watched["redirect_url"], timeout=30)
    other = merchant.order()
    sandbox.control({"advance_s": 120})
    wait_until(lambda: merchant.status(other)["status_code"] == 1, "the other one is paid")
    assert merchant.status(watched)["status_code"] == 0


def test_faults(merchant: Merchant, sandbox: RunningSandbox, receiver: CallbackReceiver) -> None:
    merchant.register()
    submit = "/Transactions/SubmitOrderRequest"
    with pytest.raises(requests.ConnectionError):
        merchant.call(submit, merchant.body(id="dropped", amount=7001))
    for id, amount, http, kind in (
        ("after", 7002, 500, "api_error"),
        ("before", 7003, 500, "api_error"),
        ("late", 7011, 500, "authentication_error"),
    ):
        answer = merchant.call(submit, merchant.body(id=id, amount=amount))
        assert (answer.status_code, answer.json()["error"]["error_type"]) == (http, kind)
    for id in ("after", "before", "late", "dropped"):
        # The order that exists, or a new one: the same answer again and again.
        first, again = (merchant.call(submit, merchant.body(id=id)).json() for _ in range(2))
        assert (first["status"], first) == ("200", again), id
    assert merchant.call(submit, merchant.body(amount=7010)).status_code == 429
    early = merchant.order(amount=7007)
    assert len(receiver.received) == 1 and merchant.status(early)["status_code"] == 1
    wrong = merchant.order(amount=7009)
    click(wrong)
    assert merchant.status(wrong)["amount"] == 7010
    assert sandbox.book("pesapal", wrong["merchant_reference"])["entries"][0]["amount"] == "7010.00"
    sandbox.control({"rules": [{"provider": "pesapal", "operation": "status", "fault": "drop", "times": 1}]})
    with pytest.raises(requests.ConnectionError):
        merchant.status(wrong)
    assert merchant.status(wrong)["status_code"] == 1


@pytest.mark.parametrize(("amount", "copies"), [(7005, 0), (7006, 3), (7012, 2)])
def test_ipns_lost_repeated_and_late(
    merchant: Merchant, sandbox: RunningSandbox, receiver: CallbackReceiver, amount: int, copies: int
) -> None:
    order = merchant.order(amount=amount)
    acknowledge(receiver, order)
    click(order)
    wait_until(
        lambda: all(line["status"] in ("delivered", "lost") for line in sandbox.callbacks("pesapal")),
        "all is sent",
    )
    assert len(sandbox.callbacks("pesapal")) == max(copies, 1)
    assert len(receiver.received) == copies
    assert merchant.status(order)["status_code"] == 1


def test_orders_survive_a_restart(merchant: Merchant, sandbox: RunningSandbox) -> None:
    order = merchant.order()
    sandbox.kill()
    sandbox.start()
    click(order)
    assert merchant.status(order)["status_code"] == 1
    assert merchant.refund(order, 1250.5)["status"] == "200"
    wait_until(lambda: merchant.status(order)["status_code"] == 3, "the refund is approved")
