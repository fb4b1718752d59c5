"""What Pesapal answers, as its documentation shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.money import Money
from app.providers.base import ChargeReference, ChargeRequest, Customer
from tests.support.canned import Canned

REFERENCE = "0198c0de-0000-7000-8000-000000000001"
TRACKING = "b945e4af-80a5-4ec1-8706-e03f8332fb04"
KES_100 = Money(10_050, "KES")
KEYS = {"consumer_key": "key-1", "consumer_secret": "secret-1"}
REQUEST = ChargeRequest(
    reference=REFERENCE,
    short_reference="AB12CD34EF56",
    amount=KES_100,
    customer=Customer(phone="+254712345678", email="ann@example.com", name="Ann Wanjiru Kamau"),
    callback_url="http://127.0.0.1:5000/api/v1/webhooks/pesapal/secret-token",
    return_url="http://127.0.0.1:5000/done",
    description="Two chairs",
)
CHARGE_REFERENCE = ChargeReference(
    REFERENCE, "AB12CD34EF56", KES_100, datetime(2026, 1, 1, tzinfo=UTC), TRACKING
)
PAID = replace(CHARGE_REFERENCE, receipt="6513008693186320103009")
NO_ERROR = {"error_type": None, "code": None, "message": None}
TOKEN = Canned(
    body={
        "token": "token-1",
        "expiryDate": "2099-08-26T12:29:30.5177702Z",
        "error": None,
        "status": "200",
        "message": "Request processed successfully",
    }
)
IPN = Canned(body={"url": "http://x", "ipn_id": "ipn-1", "error": None, "status": "200"})
ORDER = {
    "order_tracking_id": TRACKING,
    "merchant_reference": REFERENCE,
    "redirect_url": "https://pay.pesapal.com/x",
    "error": None,
    "status": "200",
}
STATUS = {
    "payment_method": "Visa",
    "amount": 100.50,
    "created_date": "2022-04-30T07:41:09.763",
    "confirmation_code": "6513008693186320103009",
    "payment_status_description": "Completed",
    "description": "Done",
    "message": "Request processed successfully",
    "payment_account": "476173**0010",
    "status_code": 1,
    "merchant_reference": REFERENCE,
    "payment_status_code": "",
    "currency": "KES",
    "error": NO_ERROR,
    "status": "200",
}


def refusal(code: str | None, message: str = "", status: str = "500") -> dict[str, Any]:
    return {"error": {"error_type": "api_error", "code": code, "message": message}, "status": status}
