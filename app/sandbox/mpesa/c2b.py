"""Payments from the phone's menu (C2B): registering URLs, simulating one; and the pull of what was collected."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, g, request

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan, faulty
from app.sandbox.mpesa import fields
from app.sandbox.mpesa.access import with_token
from app.sandbox.mpesa.pushes import JSON
from app.sandbox.mpesa.receipts import balance, new_receipt
from app.sandbox.mpesa.replies import (
    NAIROBI,
    broken,
    compact_time,
    invalid,
    request_id,
    spike_arrest,
    token_refused,
)
from app.sandbox.store import Document

FORBIDDEN_WORDS: Final = ("m-pesa", "mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
"""No C2B URL may contain them, in any case."""

REACH: Final = timedelta(hours=48)
PAGE: Final = 1000
DATE: Final = "%Y-%m-%d %H:%M:%S"


def add(blueprint: Blueprint, sandbox: Sandbox) -> None:
    """C2B in both versions, and the pull API."""
    register, simulate = _register(sandbox), _simulate(sandbox)
    for version in ("v1", "v2"):
        blueprint.add_url_rule(
            f"/mpesa/c2b/{version}/registerurl", f"c2b_register_{version}", register, methods=["POST"]
        )
        blueprint.add_url_rule(
            f"/mpesa/c2b/{version}/simulate", f"c2b_simulate_{version}", simulate, methods=["POST"]
        )
    blueprint.add_url_rule(
        "/pulltransactions/v1/register", "pull_register", _pull_register(sandbox), methods=["POST"]
    )
    blueprint.add_url_rule(
        "/pulltransactions/v1/query", "pull_query", _pull(sandbox), methods=["GET", "POST"]
    )


def _register(sandbox: Sandbox) -> Any:
    @with_token(sandbox)
    def register() -> dict[str, Any]:
        sent = fields.body("ShortCode")
        shortcode = fields.text(sent, "ShortCode", fields.SHORTCODE)
        kept = {"response_type": fields.text(sent, "ResponseType", "Completed|Cancelled")}
        for field in ("ConfirmationURL", "ValidationURL"):
            url = fields.url(sent, field)
            if any(word in url.lower() for word in FORBIDDEN_WORDS):
                raise invalid(field)
            kept[field] = url
        with sandbox.database.transaction():
            if not sandbox.store.insert("mpesa", "c2b_urls", shortcode, kept):
                sandbox.store.update("mpesa", "c2b_urls", shortcode, lambda urls: urls.update(kept))
        return _accepted("Success")

    return register


def _simulate(sandbox: Sandbox) -> Any:
    def of_request() -> tuple[Decimal | None, str | None]:
        return fields.for_fault("Amount", "BillRefNumber")

    @with_token(sandbox)
    @faulty(sandbox, "mpesa", "c2b", of_request, error=broken, limited=spike_arrest, expired=token_refused)
    def simulate() -> dict[str, Any]:
        sent = fields.body("ShortCode")
        shortcode = fields.text(sent, "ShortCode", fields.SHORTCODE)
        kind = fields.text(sent, "CommandID", "CustomerPayBillOnline|CustomerBuyGoodsOnline")
        amount = fields.shillings(sent)
        phone = fields.text(sent, "Msisdn", fields.MSISDN)
        bill = fields.words(sent, "BillRefNumber", 1, 20, is_optional=kind != "CustomerPayBillOnline")
        plan: Plan = g.plan
        payment = {"shortcode": shortcode, "kind": kind, "amount": amount, "phone": phone, "bill": bill}
        with sandbox.database.transaction():
            confirmation = _collected(sandbox, payment)
            urls = sandbox.store.get("mpesa", "c2b_urls", shortcode)
            if urls is not None:
                sandbox.courier.send(
                    "mpesa",
                    urls["ConfirmationURL"],
                    body=json.dumps(confirmation).encode(),
                    headers=JSON,
                    plan=plan,
                )
        return _accepted("Accept the service request successfully.")

    return simulate


def _collected(sandbox: Sandbox, payment: Document) -> dict[str, str]:
    """The money moves; the body of the confirmation, all texts."""
    receipt = new_receipt(
        sandbox, "c2b", of=request_id(), amount=payment["amount"], phone=payment["phone"],
        reference=payment["bill"], shortcode=payment["shortcode"],
    )  # fmt: skip
    sandbox.book.record(
        "mpesa", "charge", reference=payment["bill"], id=receipt, amount=Decimal(payment["amount"]), currency="KES"
    )  # fmt: skip
    is_bill = payment["kind"] == "CustomerPayBillOnline"
    return {
        "TransactionType": "Pay Bill" if is_bill else "Buy Goods",
        "TransID": receipt,
        "TransTime": str(compact_time(sandbox.now())),
        "TransAmount": f"{payment['amount']}.00",
        "BusinessShortCode": payment["shortcode"],
        "BillRefNumber": payment["bill"],
        "InvoiceNumber": "",
        "OrgAccountBalance": f"{balance(sandbox):.2f}",
        "ThirdPartyTransID": "",
        "MSISDN": f"{payment['phone'][:4]} ***** {payment['phone'][-3:]}",
        "FirstName": "JOHN",
        "MiddleName": "",
        "LastName": "DOE",
    }


def _accepted(description: str) -> dict[str, Any]:
    # The key is spelt like this by Daraja.
    return {
        "OriginatorCoversationID": request_id(),
        "ResponseCode": "0",
        "ResponseDescription": description,
    }


def _pull_register(sandbox: Sandbox) -> Any:
    @with_token(sandbox)
    def register() -> dict[str, Any]:
        sent = fields.body("ShortCode")
        shortcode = fields.text(sent, "ShortCode", fields.SHORTCODE)
        fields.text(sent, "RequestType", "Pull")
        fields.text(sent, "NominatedNumber", rf"{fields.MSISDN}|0[17]\d{{8}}")
        kept = {"url": fields.url(sent, "CallBackURL")}
        is_new = sandbox.store.insert("mpesa", "pull", shortcode, kept)
        return {
            "ResponseRefID": request_id(),
            "ResponseStatus": "1000" if is_new else "1001",
            "ShortCode": shortcode,
            "ResponseDescription": "ShortCode Registered Successfully"
            if is_new
            else "ShortCode already Registered",
        }

    return register


def _pull(sandbox: Sandbox) -> Any:
    def nothing() -> tuple[Decimal | None, str | None]:
        return None, None

    @with_token(sandbox)
    @faulty(sandbox, "mpesa", "pull", nothing, error=broken, limited=spike_arrest, expired=token_refused)
    def query() -> dict[str, Any]:
        if not request.data:
            raise invalid("ShortCode")
        sent = fields.body("ShortCode")
        shortcode = fields.text(sent, "ShortCode", fields.SHORTCODE)
        start, end = _date(sent, "StartDate"), _date(sent, "EndDate")
        offset = int(fields.text(sent, "OffSetValue", r"\d{1,9}"))
        start = max(start, sandbox.now() - REACH)
        rows = [
            _row(receipt, is_till=_is_of_till(sandbox, receipt))
            for receipt in sandbox.store.find("mpesa", "receipt", shortcode=shortcode)
            # To the second: that is how the dates are asked for.
            if receipt["kind"] in ("push", "c2b")
            and start <= datetime.fromisoformat(receipt["at"]).replace(microsecond=0) <= end
        ]
        page = rows[offset : offset + PAGE]
        if not page:
            # As the portal prints it: a text under another name.
            return {
                "ResponseRefID": request_id(),
                "ResponseCode": "1001",
                "ResponseMessage": "No transactions available for the selected time period",
                "Transaction": "[[]]",
            }
        return {
            "ResponseRefID": request_id(),
            "ResponseCode": "1000",
            "ResponseMessage": "Success",
            "Response": [page],
        }

    return query


def _is_of_till(sandbox: Sandbox, receipt: Document) -> bool:
    push = sandbox.store.get("mpesa", "push", receipt["of"])
    return bool(push and push["type"] == "CustomerBuyGoodsOnline")


def _row(receipt: Document, *, is_till: bool) -> dict[str, Any]:
    """Only what was paid to a paybill has a bill reference."""
    return {
        "transactionId": receipt["receipt"],
        "trxDate": f"{datetime.fromisoformat(receipt['at']).astimezone(NAIROBI):{DATE}}",
        "msisdn": int(receipt["phone"]),
        "sender": "MPESA",
        "transactiontype": "c2b-buy-goods-debit" if is_till else "c2b-pay-bill-debit",
        "billreference": "" if is_till else receipt["reference"],
        "amount": f"{receipt['amount']}.00",
        "organizationname": "Sandbox merchant",
    }


def _date(sent: dict[str, Any], field: str) -> datetime:
    """A local Kenyan time of the request."""
    value = fields.words(sent, field, 19, 19)
    try:
        return datetime.strptime(value, DATE).replace(tzinfo=NAIROBI)
    except ValueError as error:
        raise invalid(field) from error
