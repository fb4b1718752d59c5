"""C2B: payments that customers start in the menu of their phone. URLs are registered, and a payment is simulated."""

from __future__ import annotations

from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.mpesa import callbacks, fields
from app.sandbox.mpesa.errors import invalid
from app.sandbox.mpesa.receipts import balance, record_collection
from app.sandbox.mpesa.replies import compact_time, request_id
from app.sandbox.store import Document

FORBIDDEN_WORDS: Final = ("m-pesa", "mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
"""No C2B URL may contain these, in any case."""


class C2B:
    """Both versions of the calls."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def register(self, request: ApiRequest) -> Document:
        """`POST /mpesa/c2b/{version}/registerurl`."""
        body = request.body
        shortcode = fields.match(body, "ShortCode", fields.SHORTCODE)
        urls = {"response_type": fields.match(body, "ResponseType", "Completed|Cancelled")}
        for field in ("ConfirmationURL", "ValidationURL"):
            urls[field] = fields.url(body, field)
            if any(word in urls[field].lower() for word in FORBIDDEN_WORDS):
                raise invalid(field)
        self._sandbox.store.put("mpesa", "c2b_urls", shortcode, urls)
        return _accepted("Success")

    def simulate(self, request: ApiRequest) -> Document:
        """`POST /mpesa/c2b/{version}/simulate`."""
        payment = _read_payment(request.body)
        with self._sandbox.database.transaction():
            confirmation = self._collect(payment)
            urls = self._sandbox.store.get("mpesa", "c2b_urls", payment["shortcode"])
            if urls is not None:
                callbacks.send(self._sandbox, urls["ConfirmationURL"], confirmation, request.plan)
        return _accepted("Accept the service request successfully.")

    def _collect(self, payment: Document) -> dict[str, str]:
        """Record the payment; the confirmation, in which all values are texts."""
        receipt = record_collection(
            self._sandbox,
            "c2b",
            of=request_id(),
            amount=payment["amount"],
            phone=payment["phone"],
            reference=payment["bill"],
            shortcode=payment["shortcode"],
        )
        is_bill = payment["kind"] == "CustomerPayBillOnline"
        return {
            "TransactionType": "Pay Bill" if is_bill else "Buy Goods",
            "TransID": receipt,
            "TransTime": str(compact_time(self._sandbox.now())),
            "TransAmount": f"{payment['amount']}.00",
            "BusinessShortCode": payment["shortcode"],
            "BillRefNumber": payment["bill"],
            "InvoiceNumber": "",
            "OrgAccountBalance": f"{balance(self._sandbox):.2f}",
            "ThirdPartyTransID": "",
            "MSISDN": f"{payment['phone'][:4]} ***** {payment['phone'][-3:]}",
            "FirstName": "JOHN",
            "MiddleName": "",
            "LastName": "DOE",
        }


def _read_payment(body: dict[str, Any]) -> Document:
    shortcode = fields.match(body, "ShortCode", fields.SHORTCODE)
    kind = fields.match(body, "CommandID", "CustomerPayBillOnline|CustomerBuyGoodsOnline")
    amount = fields.shillings(body)
    phone = fields.match(body, "Msisdn", fields.MSISDN)
    bill = fields.text(body, "BillRefNumber", 1, 20, is_optional=kind != "CustomerPayBillOnline")
    return {"shortcode": shortcode, "kind": kind, "amount": amount, "phone": phone, "bill": bill}


def _accepted(description: str) -> Document:
    # This is Daraja's spelling of the first name.
    return {
        "OriginatorCoversationID": request_id(),
        "ResponseCode": "0",
        "ResponseDescription": description,
    }
