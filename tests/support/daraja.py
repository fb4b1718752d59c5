"""A merchant that sends Daraja's requests without the adapter, with the published test credentials."""

from __future__ import annotations

import base64
import json
from typing import Any

import requests

from tests.support.sandbox import CallbackReceiver
from tests.support.sandbox_parts import ServedSandbox

PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
READY = "c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs"
PHONE = "254708374149"
PUSH, QUERY = "/mpesa/stkpush/v1/processrequest", "/mpesa/stkpushquery/v1/query"
B2C, B2B = "/mpesa/b2c/v3/paymentrequest", "/mpesa/b2b/v1/paymentrequest"
REVERSAL, STATUS = "/mpesa/reversal/v1/request", "/mpesa/transactionstatus/v1/query"


class Merchant:
    """A client written by the portal's documentation alone, without the adapter's code."""

    def __init__(self, sandbox: ServedSandbox, receiver: CallbackReceiver, *, passkey: str = PASSKEY) -> None:
        self.sandbox, self.receiver, self.passkey = sandbox, receiver, passkey
        self.token = self.new_token().json()["access_token"]

    def new_token(self, key: str = "sandbox-consumer-key", grant: str = "client_credentials") -> Any:
        path = "/mpesa/oauth/v1/generate"
        pair = (key, "sandbox-consumer-secret")
        return requests.get(self.sandbox.url + path, params={"grant_type": grant}, auth=pair, timeout=30)

    def post(self, path: str, body: dict[str, Any], **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.post(
            f"{self.sandbox.url}/mpesa{path}", json=body, headers=headers, timeout=30, **more
        )

    def push_body(self, amount: Any = 100, **more: Any) -> dict[str, Any]:
        stamp = "20210628092408"
        password = base64.b64encode(f"174379{self.passkey}{stamp}".encode()).decode()
        return {
            "BusinessShortCode": "174379",
            "Password": password,
            "Timestamp": stamp,
            "TransactionType": "CustomerPayBillOnline",
            "Amount": amount,
            "PartyA": PHONE,
            "PartyB": "174379",
            "PhoneNumber": PHONE,
            "CallBackURL": f"{self.receiver.url}/stk",
            "AccountReference": "ORDER1",
            "TransactionDesc": "Payment",
            **more,
        }

    def push(self, amount: int = 100, **more: Any) -> dict[str, Any]:
        answer = self.post(PUSH, self.push_body(amount, **more))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reported(self, count: int = 1) -> dict[str, Any]:
        """The newest push callback once there are `count`."""
        return json.loads(self.receiver.wait_for(count, path="/stk")[-1].body)["Body"]["stkCallback"]

    def query(self, ack: dict[str, Any]) -> requests.Response:
        signed = {name: self.push_body()[name] for name in ("BusinessShortCode", "Password", "Timestamp")}
        return self.post(QUERY, signed | {"CheckoutRequestID": ack["CheckoutRequestID"]})

    def paid(self, amount: int = 100) -> str:
        """The receipt of a paid push."""
        self.push(amount)
        return metadata(self.reported())["MpesaReceiptNumber"]

    def operator(self, **more: Any) -> dict[str, Any]:
        return {
            "Initiator": "testapi",
            "SecurityCredential": READY,
            "Remarks": "Because",
            "QueueTimeOutURL": f"{self.receiver.url}/late",
            "ResultURL": f"{self.receiver.url}/result",
            **more,
        }

    def b2c_body(self, amount: int = 100, id: str = "payout-1", **more: Any) -> dict[str, Any]:
        body = self.operator(
            OriginatorConversationID=id,
            InitiatorName="testapi",
            CommandID="BusinessPayment",
            Amount=amount,
            PartyA="600984",
            PartyB=PHONE,
        )
        del body["Initiator"]
        return body | more

    def b2b_body(self, amount: int = 190, **more: Any) -> dict[str, Any]:
        return (
            self.operator(
                CommandID="BusinessBuyGoods",
                SenderIdentifierType="4",
                RecieverIdentifierType="4",
                Amount=amount,
                PartyA="600984",
                PartyB="600000",
                AccountReference="BILL7",
            )
            | more
        )

    def reversal_body(self, receipt: str, amount: int = 100) -> dict[str, Any]:
        return self.operator(
            CommandID="TransactionReversal",
            TransactionID=receipt,
            Amount=amount,
            ReceiverParty="174379",
            RecieverIdentifierType="11",
        )

    def status_body(self, **which: Any) -> dict[str, Any]:
        return self.operator(CommandID="TransactionStatusQuery", PartyA="600984", IdentifierType="4", **which)

    def result(self, count: int = 1) -> dict[str, Any]:
        results = self.sandbox.until(lambda: self.receiver.of("/result")[count - 1 :], "the result arrives")
        return json.loads(results[-1].body)["Result"]

    def net(self) -> str:
        return self.sandbox.book("mpesa")["totals"]["KES"]["net"]


def metadata(callback: dict[str, Any]) -> dict[str, Any]:
    return {item["Name"]: item.get("Value") for item in callback["CallbackMetadata"]["Item"]}


def parameters(result: dict[str, Any]) -> dict[str, Any]:
    return {item["Key"]: item.get("Value") for item in result["ResultParameters"]["ResultParameter"]}
