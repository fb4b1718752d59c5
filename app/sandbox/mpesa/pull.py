"""The pull API: a list of the collections of the last 48 hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.mpesa import fields
from app.sandbox.mpesa.errors import invalid
from app.sandbox.mpesa.replies import NAIROBI, request_id
from app.sandbox.store import Document

REACH: Final = timedelta(hours=48)
PAGE_SIZE: Final = 1000
DATE_FORMAT: Final = "%Y-%m-%d %H:%M:%S"


class Pull:
    """Registration and query."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def register(self, request: ApiRequest) -> Document:
        """`POST /pulltransactions/v1/register`."""
        body = request.body
        shortcode = fields.match(body, "ShortCode", fields.SHORTCODE)
        fields.match(body, "RequestType", "Pull")
        fields.match(body, "NominatedNumber", rf"{fields.MSISDN}|0[17]\d{{8}}")
        registration = {"url": fields.url(body, "CallBackURL")}
        is_new = self._sandbox.store.insert("mpesa", "pull", shortcode, registration)
        description = "ShortCode Registered Successfully" if is_new else "ShortCode already Registered"
        return {
            "ResponseRefID": request_id(),
            "ResponseStatus": "1000" if is_new else "1001",
            "ShortCode": shortcode,
            "ResponseDescription": description,
        }

    def query(self, request: ApiRequest) -> Document:
        """`GET` or `POST /pulltransactions/v1/query`, also without registration."""
        body = request.body
        shortcode = fields.match(body, "ShortCode", fields.SHORTCODE)
        start, end = _date(body, "StartDate"), _date(body, "EndDate")
        offset = int(fields.match(body, "OffSetValue", r"\d{1,9}"))
        rows = self._rows(shortcode, max(start, self._sandbox.now() - REACH), end)
        page = rows[offset : offset + PAGE_SIZE]
        if not page:
            # As in the portal: a text, under another name.
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

    def _rows(self, shortcode: str, start: datetime, end: datetime) -> list[Document]:
        return [
            _row(receipt, is_till=self._is_of_till(receipt))
            for receipt in self._sandbox.store.find("mpesa", "receipt", shortcode=shortcode)
            # The dates of a query have no fractions of a second.
            if receipt["kind"] in ("push", "c2b")
            and start <= datetime.fromisoformat(receipt["at"]).replace(microsecond=0) <= end
        ]

    def _is_of_till(self, receipt: Document) -> bool:
        push = self._sandbox.store.get("mpesa", "push", receipt["of"])
        return bool(push and push["type"] == "CustomerBuyGoodsOnline")


def _row(receipt: Document, *, is_till: bool) -> Document:
    """Only payments to a paybill have a bill reference."""
    return {
        "transactionId": receipt["receipt"],
        "trxDate": f"{datetime.fromisoformat(receipt['at']).astimezone(NAIROBI):{DATE_FORMAT}}",
        "msisdn": int(receipt["phone"]),
        "sender": "MPESA",
        "transactiontype": "c2b-buy-goods-debit" if is_till else "c2b-pay-bill-debit",
        "billreference": "" if is_till else receipt["reference"],
        "amount": f"{receipt['amount']}.00",
        "organizationname": "Sandbox merchant",
    }


def _date(body: dict[str, Any], field: str) -> datetime:
    """A time of the request, in Kenyan time."""
    value = fields.text(body, field, 19, 19)
    try:
        return datetime.strptime(value, DATE_FORMAT).replace(tzinfo=NAIROBI)
    except ValueError as error:
        raise invalid(field) from error
