"""IPNs: the merchant registers an address, and is told there that something changed, never what.

developer.pesapal.com, "Register IPN URL": GET with a query or POST with JSON, as registered. The answer must be JSON that
repeats the three members and says status 200; without it the IPN comes again.
"""

from __future__ import annotations

import json
import uuid
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.pesapal.answers import Document, Refused, seven_digits

RETRIES_S: Final = (2.0, 5.0, 15.0, 60.0)
TYPES: Final = {"GET": 0, "POST": 1}
CHANGE: Final = "IPNCHANGE"


class Notifications:
    """Registered addresses, and the news sent to them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def register(self, body: Document) -> Document:
        """`/api/URLSetup/RegisterIPN`. The same address and type again is the same registration. Raises Refused."""
        url, kind = body.get("url"), body.get("ipn_notification_type")
        if not isinstance(url, str) or not is_web_address(url):
            raise Refused("invalid_ipn_url", "The IPN url is not a valid web address.")
        if kind not in TYPES:
            raise Refused("invalid_ipn_notification_type", "The ipn_notification_type must be GET or POST.")
        known = self._sandbox.store.find("pesapal", "ipn", url=url, ipn_notification_type_description=kind)
        if known:
            return {**known[0], "error": None, "status": "200"}
        document = {
            "url": url,
            "created_date": seven_digits(self._sandbox.now()),
            "ipn_id": str(uuid.uuid4()),
            "notification_type": TYPES[kind],
            "ipn_notification_type_description": kind,
            "ipn_status": 1,
            "ipn_status_decription": "Active",
        }
        self._sandbox.store.insert("pesapal", "ipn", document["ipn_id"], document)
        return {**document, "error": None, "status": "200"}

    def listed(self) -> list[Document]:
        """`/api/URLSetup/GetIpnList`: a bare array."""
        return [
            {**document, "error": None, "status": "200"}
            for document in self._sandbox.store.find("pesapal", "ipn")
        ]

    def is_registered(self, ipn_id: object) -> bool:
        """Whether an order may name it."""
        return isinstance(ipn_id, str) and self._sandbox.store.get("pesapal", "ipn", ipn_id) is not None

    def send(self, order: Document, plan: Plan, *, after_s: float = 0) -> None:
        """Tell the order's address that the order changed."""
        ipn = self._sandbox.store.get("pesapal", "ipn", order["notification_id"])
        if ipn is None:
            raise KeyError(f"Order {order['order_tracking_id']} names an IPN that was never registered.")
        news = {
            "OrderTrackingId": order["order_tracking_id"],
            "OrderMerchantReference": order["merchant_reference"],
            "OrderNotificationType": CHANGE,
        }
        is_get = ipn["ipn_notification_type_description"] == "GET"
        deliver = self._sandbox.courier.send_now if plan.callback_early else self._sandbox.courier.send
        deliver(
            "pesapal",
            with_query(ipn["url"], news) if is_get else ipn["url"],
            method="GET" if is_get else "POST",
            body=b"" if is_get else json.dumps(news).encode(),
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
        )


def is_web_address(text: str) -> bool:
    """http or https, with a host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def with_query(url: str, values: Document) -> str:
    """`url` with more in its query; what is there stays."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(values))))))
