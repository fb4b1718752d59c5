"""The STK push and its query, as HTTP."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, g

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan, faulty
from app.sandbox.mpesa import fields
from app.sandbox.mpesa.access import with_token
from app.sandbox.mpesa.pushes import LOCKED, STILL_PROCESSING, STK_RESULTS, Pushes
from app.sandbox.mpesa.replies import Refused, broken, invalid, spike_arrest, token_refused
from app.sandbox.store import Document

TYPES: Final = ("CustomerPayBillOnline", "CustomerBuyGoodsOnline")
ACCEPTED: Final = "Success. Request accepted for processing"


def add(blueprint: Blueprint, sandbox: Sandbox, pushes: Pushes) -> None:
    """Two calls."""

    def of_push() -> tuple[Decimal | None, str | None]:
        return fields.for_fault("Amount", "AccountReference")

    def of_query() -> tuple[Decimal | None, str | None]:
        return fields.for_fault("", "CheckoutRequestID")

    @with_token(sandbox)
    @faulty(sandbox, "mpesa", "stkpush", of_push, error=broken, limited=spike_arrest, expired=token_refused)
    def push() -> dict[str, Any]:
        sent = _read_push(sandbox)
        plan: Plan = g.plan
        if plan.fate == "locked" or sent["amount"] == LOCKED or pushes.is_locked(sent["phone"]):
            raise Refused(500, "500.001.1001", "Unable to lock subscriber")
        if pushes.is_repeat(sent["phone"], sent["amount"]):
            sent["code_ahead"] = "17"
        made = pushes.create(sent, plan)
        return {
            "MerchantRequestID": made["merchant_request_id"],
            "CheckoutRequestID": made["id"],
            "ResponseCode": "0",
            "ResponseDescription": ACCEPTED,
            "CustomerMessage": ACCEPTED,
        }

    @with_token(sandbox)
    @faulty(sandbox, "mpesa", "stkquery", of_query, error=broken, limited=spike_arrest, expired=token_refused)
    def query() -> dict[str, Any]:
        sent = fields.body("BusinessShortCode")
        shortcode = _signed(sandbox, sent)
        id = fields.text(sent, "CheckoutRequestID", r"ws_CO_\w{10,60}")
        found = pushes.get(id)
        if found is None or found["shortcode"] != shortcode:
            raise invalid("CheckoutRequestID")
        return _standing(found)

    methods = ["POST"]
    blueprint.add_url_rule("/mpesa/stkpush/v1/processrequest", "stkpush", push, methods=methods)
    blueprint.add_url_rule("/mpesa/stkpushquery/v1/query", "stkquery", query, methods=methods)


def _standing(push: Document) -> dict[str, Any]:
    """The answer of a query: how the push ended. It names no receipt, amount or phone."""
    code, description = push["code"], STK_RESULTS.get(push["code"] or "")
    if push["state"] == "pending":
        if push["amount"] != STILL_PROCESSING:
            raise Refused(500, "500.001.1001", "The transaction is being processed")
        code, description = "4999", "The transaction is still under processing"
    return {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successsfully",
        "MerchantRequestID": push["merchant_request_id"],
        "CheckoutRequestID": push["id"],
        "ResultCode": code,
        "ResultDesc": description,
    }


def _read_push(sandbox: Sandbox) -> Document:
    sent = fields.body("BusinessShortCode")
    shortcode = _signed(sandbox, sent)
    kind = fields.text(sent, "TransactionType", "|".join(TYPES))
    amount = fields.shillings(sent)
    fields.text(sent, "PartyA", fields.MSISDN)
    party_b = fields.text(sent, "PartyB", fields.SHORTCODE)
    phone = fields.text(sent, "PhoneNumber", fields.MSISDN)
    url = fields.url(sent, "CallBackURL")
    reference = fields.text(sent, "AccountReference", r"[A-Za-z0-9]{1,12}")
    description = fields.words(sent, "TransactionDesc", 1, 13, is_optional=True)
    # A paybill is paid itself; through a store number, its till.
    is_pair = kind == TYPES[1] or party_b == shortcode
    return {
        "shortcode": shortcode, "type": kind, "amount": amount, "phone": phone, "party_b": party_b,
        "callback_url": url, "reference": reference, "description": description,
        "code_ahead": None if is_pair else "2028",
    }  # fmt: skip


def _signed(sandbox: Sandbox, sent: dict[str, Any]) -> str:
    """The shortcode, once Password is right: base64 of shortcode, passkey and the same Timestamp."""
    shortcode = fields.text(sent, "BusinessShortCode", fields.SHORTCODE)
    password = fields.words(sent, "Password", 1, 500)
    timestamp = fields.text(sent, "Timestamp", r"\d{14}")
    try:
        datetime.strptime(timestamp, "%Y%m%d%H%M%S")  # noqa: DTZ007 only whether it is a date
    except ValueError as error:
        raise invalid("Timestamp") from error
    try:
        opened = base64.b64decode(password, validate=True)
    except binascii.Error as error:
        raise invalid("Password") from error
    if shortcode != sandbox.dashboard.credential("mpesa", "shortcode"):
        raise Refused(500, "500.001.1001", "Merchant does not exist")
    passkey = sandbox.dashboard.credential("mpesa", "passkey")
    if not hmac.compare_digest(opened, f"{shortcode}{passkey}{timestamp}".encode()):
        raise Refused(500, "500.001.1001", "Wrong credentials")
    return shortcode
