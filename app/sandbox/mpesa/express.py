"""The calls of M-Pesa Express: the STK push and its query."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import datetime
from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.mpesa import fields
from app.sandbox.mpesa.errors import ApiError, invalid
from app.sandbox.mpesa.payments import LOCKED, STILL_PROCESSING, STK_RESULTS, Pushes
from app.sandbox.mpesa.replies import written
from app.sandbox.store import Document

TYPES: Final = ("CustomerPayBillOnline", "CustomerBuyGoodsOnline")
ACCEPTED: Final = "Success. Request accepted for processing"


class Express:
    """The two calls."""

    def __init__(self, sandbox: Sandbox, pushes: Pushes) -> None:
        self._sandbox = sandbox
        self._pushes = pushes

    def push(self, request: ApiRequest) -> Document:
        """`POST /mpesa/stkpush/v1/processrequest`."""
        push, plan = self._read_push(request.body), request.plan
        is_locked = plan.outcome == "locked" or push["amount"] == LOCKED
        if is_locked or self._pushes.is_locked(push["phone"]):
            raise ApiError(500, "500.001.1001", "Unable to lock subscriber")
        if self._pushes.is_repeat(push["phone"], push["amount"]):
            push["fixed_code"] = "17"
        push = self._pushes.create(push, plan)
        return {
            "MerchantRequestID": push["merchant_request_id"],
            "CheckoutRequestID": push["id"],
            "ResponseCode": written(self._sandbox, "0"),
            "ResponseDescription": ACCEPTED,
            "CustomerMessage": ACCEPTED,
        }

    def query(self, request: ApiRequest) -> Document:
        """`POST /mpesa/stkpushquery/v1/query`."""
        shortcode = self._checked_shortcode(request.body)
        id = fields.match(request.body, "CheckoutRequestID", r"ws_CO_\w{10,60}")
        push = self._pushes.get(id)
        if push is None or push["shortcode"] != shortcode:
            raise invalid("CheckoutRequestID")
        return self._query_result(push)

    def _query_result(self, push: Document) -> dict[str, Any]:
        """How the push ended. The answer has no receipt, amount or phone number."""
        code, description = push["code"], STK_RESULTS.get(push["code"] or "")
        if push["state"] == "pending":
            if push["amount"] != STILL_PROCESSING:
                raise ApiError(500, "500.001.1001", "The transaction is being processed")
            code, description = "4999", "The transaction is still under processing"
        elif instead := self._sandbox.dashboard.option("mpesa", "query_code"):
            code, description = instead, STK_RESULTS.get(instead, "")
        return {
            "ResponseCode": written(self._sandbox, "0"),
            "ResponseDescription": "The service request has been accepted successsfully",
            "MerchantRequestID": push["merchant_request_id"],
            "CheckoutRequestID": push["id"],
            "ResultCode": written(self._sandbox, code),
            "ResultDesc": description,
        }

    def _read_push(self, body: dict[str, Any]) -> Document:
        shortcode = self._checked_shortcode(body)
        kind = fields.match(body, "TransactionType", "|".join(TYPES))
        amount = fields.shillings(body)
        fields.match(body, "PartyA", fields.MSISDN)
        party_b = fields.match(body, "PartyB", fields.SHORTCODE)
        phone = fields.match(body, "PhoneNumber", fields.MSISDN)
        url = fields.url(body, "CallBackURL")
        reference = fields.match(body, "AccountReference", r"[A-Za-z0-9]{1,12}")
        description = fields.text(body, "TransactionDesc", 1, 13, is_optional=True)
        # The money of a paybill goes to the shortcode itself, that of a store number to its till.
        is_permitted = kind == TYPES[1] or party_b == shortcode
        return {
            "shortcode": shortcode,
            "type": kind,
            "amount": amount,
            "phone": phone,
            "party_b": party_b,
            "callback_url": url,
            "reference": reference,
            "description": description,
            "fixed_code": None if is_permitted else "2028",
        }

    def _checked_shortcode(self, body: dict[str, Any]) -> str:
        """The shortcode, after Password is checked: base64 of shortcode, passkey and the same Timestamp."""
        shortcode = fields.match(body, "BusinessShortCode", fields.SHORTCODE)
        password = fields.text(body, "Password", 1, 500)
        timestamp = fields.match(body, "Timestamp", r"\d{14}")
        try:
            datetime.strptime(timestamp, "%Y%m%d%H%M%S")  # noqa: DTZ007 - only its format is checked
        except ValueError as error:
            raise invalid("Timestamp") from error
        try:
            decoded = base64.b64decode(password, validate=True)
        except binascii.Error as error:
            raise invalid("Password") from error
        dashboard = self._sandbox.dashboard
        if shortcode != dashboard.credential("mpesa", "shortcode"):
            raise ApiError(500, "500.001.1001", "Merchant does not exist")
        expected = f"{shortcode}{dashboard.credential('mpesa', 'passkey')}{timestamp}"
        if not hmac.compare_digest(decoded, expected.encode()):
            raise ApiError(500, "500.001.1001", "Wrong credentials")
        return shortcode
