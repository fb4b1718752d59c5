"""A merchant's program and a customer's browser at Pesapal, by its documentation alone."""

from __future__ import annotations

import json
from typing import Any

import requests

from tests.support.sandbox import CallbackReceiver, RunningSandbox

KEYS = {
    "consumer_key": "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW",
    "consumer_secret": "osGQ364R49cXKeOYSpaOnT++rHs=",
}
NULLS = {"error_type": None, "code": None, "message": None, "call_back_url": None}


class Merchant:
    """A small client of API 3.0, by its documentation alone."""

    def __init__(self, sandbox: RunningSandbox, hook: str) -> None:
        self.sandbox, self.hook = sandbox, hook
        self.token, self.ipn = "", ""
        self.orders = 0

    def call(self, path: str, body: Any = None, **query: str) -> requests.Response:
        return requests.request(
            "GET" if body is None else "POST",
            f"{self.sandbox.url}/pesapal/api{path}",
            params=query,
            json=body,
            headers={"Authorization": f"Bearer {self.token}", "Accept": "application/json"},
            timeout=30,
        )

    def log_in(self) -> Merchant:
        self.token = self.call("/Auth/RequestToken", KEYS).json()["token"]
        return self

    def register(self, kind: str = "POST") -> str:
        body = {"url": self.hook, "ipn_notification_type": kind}
        self.ipn = self.call("/URLSetup/RegisterIPN", body).json()["ipn_id"]
        return self.ipn

    def body(self, **change: Any) -> dict[str, Any]:
        self.orders += 1
        return {
            "id": f"order-{self.orders}",
            "currency": "KES",
            "amount": 1250.5,
            "description": "A basket",
            "callback_url": "http://127.0.0.1:9/back",
            "notification_id": self.ipn,
            "billing_address": {"email_address": "wanjiku@example.com"},
            **change,
        }

    def order(self, **change: Any) -> dict[str, Any]:
        if not self.ipn:
            self.register()
        answer = self.call("/Transactions/SubmitOrderRequest", self.body(**change)).json()
        assert (answer["status"], answer["error"]) == ("200", None), answer
        return answer

    def status(self, order: dict[str, Any]) -> dict[str, Any]:
        id = order["order_tracking_id"]
        return self.call("/Transactions/GetTransactionStatus", orderTrackingId=id).json()

    def refund(self, order: dict[str, Any], asked: float, **change: Any) -> dict[str, Any]:
        code = self.status(order)["confirmation_code"]
        body = {
            "confirmation_code": code,
            "amount": asked,
            "username": "amina",
            "remarks": "Returned",
            **change,
        }
        return self.call("/Transactions/RefundRequest", body).json()


def click(order: dict[str, Any], action: str = "pay", method: str = "Visa") -> requests.Response:
    data = {"action": action, "method": method}
    return requests.post(order["redirect_url"], data=data, allow_redirects=False, timeout=30)


def acknowledge(receiver: CallbackReceiver, order: dict[str, Any], **change: Any) -> None:
    receiver.body = json.dumps(
        {
            "orderNotificationType": "IPNCHANGE",
            "orderTrackingId": order["order_tracking_id"],
            "orderMerchantReference": order["merchant_reference"],
            "status": 200,
            **change,
        }
    ).encode()
