"""IPNs (instant payment notifications): the merchant registers a URL, which is called when an order changes.

developer.pesapal.com, "Register IPN URL": a GET with a query or a POST with JSON, as registered. It does not say what
changed. The answer must be JSON that repeats the three members with status 200; otherwise the IPN is sent again.
"""

from __future__ import annotations

import json
import uuid
from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.http import is_web_address, with_query
from app.sandbox.pesapal.errors import ApiError
from app.sandbox.pesapal.replies import seven_digits
from app.sandbox.store import Document

RETRIES_S: Final = (2.0, 5.0, 15.0, 60.0)
TYPES: Final = {"GET": 0, "POST": 1}
CHANGE: Final = "IPNCHANGE"


class Callbacks:
    """The registered URLs, and the IPNs sent to them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def register(self, request: ApiRequest) -> Document:
        """`POST /api/URLSetup/RegisterIPN`. The same URL and type return the existing registration."""
        url, kind = request.body.get("url"), request.body.get("ipn_notification_type")
        if not isinstance(url, str) or not is_web_address(url):
            raise ApiError("invalid_ipn_url", "The IPN url is not a valid web address.")
        if kind not in TYPES:
            raise ApiError("invalid_ipn_notification_type", "The ipn_notification_type must be GET or POST.")
        existing = self._sandbox.store.find("pesapal", "ipn", url=url, ipn_notification_type_description=kind)
        if existing:
            return _details(existing[0])
        ipn = {
            "url": url,
            "created_date": seven_digits(self._sandbox.now()),
            "ipn_id": str(uuid.uuid4()),
            "notification_type": TYPES[kind],
            "ipn_notification_type_description": kind,
            "ipn_status": 1,
            "ipn_status_decription": "Active",
        }
        self._sandbox.store.insert("pesapal", "ipn", ipn["ipn_id"], ipn)
        return _details(ipn)

    def list_registered(self, request: ApiRequest) -> list[Document]:
        """`GET /api/URLSetup/GetIpnList`: an array without an envelope."""
        return [_details(ipn) for ipn in self._sandbox.store.find("pesapal", "ipn")]

    def is_registered(self, ipn_id: object) -> bool:
        """Whether an order may use this IPN."""
        return isinstance(ipn_id, str) and self._sandbox.store.get("pesapal", "ipn", ipn_id) is not None

    def send(self, order: Document, plan: Plan, *, after_s: float = 0) -> None:
        """Send an IPN for the order."""
        ipn = self._sandbox.store.get("pesapal", "ipn", order["notification_id"])
        if ipn is None:
            raise KeyError(f"The IPN of order {order['order_tracking_id']} is not registered.")
        parameters = {
            "OrderTrackingId": order["order_tracking_id"],
            "OrderMerchantReference": order["merchant_reference"],
            "OrderNotificationType": CHANGE,
        }
        is_get = ipn["ipn_notification_type_description"] == "GET"
        self._sandbox.callbacks.send(
            "pesapal",
            with_query(ipn["url"], parameters) if is_get else ipn["url"],
            method="GET" if is_get else "POST",
            body=b"" if is_get else json.dumps(parameters).encode(),
            headers={"Accept": "application/json"} if is_get else {"Content-Type": "application/json"},
            after_s=after_s,
            plan=plan,
            retries=RETRIES_S,
            expects={
                "orderNotificationType": CHANGE,
                "orderTrackingId": order["order_tracking_id"],
                "orderMerchantReference": order["merchant_reference"],
                "status": 200,
            },
            is_early=plan.callback_early,
        )


def _details(ipn: Document) -> Document:
    return {**ipn, "error": None, "status": "200"}
