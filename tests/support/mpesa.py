"""M-Pesa in tests: accounts, requests to it, Daraja's answers and messages, and the simulator's side."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from app import clock
from app.money import Money
from app.providers.base import (
    Account,
    Callback,
    CallbackEvent,
    ChargeReference,
    ChargeRequest,
    Customer,
    PayoutMethod,
    PayoutRequest,
    RefundRequest,
    State,
)
from app.providers.mpesa import MpesaProvider
from tests.support.providers import Scripted, make_provider
from tests.support.sandbox import CallbackReceiver, Received, RunningSandbox
from tests.support.waiting import wait_until

SETTINGS = {
    "consumer_key": "sandbox-consumer-key",
    "consumer_secret": "sandbox-consumer-secret",
    "shortcode": "174379",
    "passkey": "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919",
    "initiator": "testapi",
    "security_credential": "c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs",
    "b2c_shortcode": "600984",
    "b2b_shortcode": "600992",
}
"""What the simulator accepts, but for another shortcode of payouts to tills: they must not be mixed up."""

URL = "http://127.0.0.1:5000/callbacks/mpesa/secret-path"
REFERENCE = "0198c0de-0000-7000-8000-000000000001"
KES_100 = Money(10_000, "KES")
CHARGE = ChargeRequest(
    REFERENCE,
    "AB12CD34EF56",
    KES_100,
    Customer(phone="+254708374149"),
    URL,
    "http://127.0.0.1:5000/done",
    description="Order #42 <b>for</b> Jane",
)
CHARGE_REFERENCE = ChargeReference(
    REFERENCE, "AB12CD34EF56", KES_100, datetime(2026, 1, 1, tzinfo=UTC), "ws_CO_1", "NLJ7RT61SV", URL
)
REFUND = RefundRequest(REFERENCE, KES_100, CHARGE_REFERENCE, "Returned", URL)
TO_PHONE = PayoutRequest(REFERENCE, KES_100, PayoutMethod.MPESA, {"phone_number": "254708374149"}, URL)
TO_TILL = PayoutRequest(REFERENCE, KES_100, PayoutMethod.TILL, {"till_number": "247247"}, URL)

TOKEN, PUSH, ASK = "/oauth/v1/generate", "/mpesa/stkpush/v1/processrequest", "/mpesa/stkpushquery/v1/query"
REVERSAL, B2C, B2B = (
    "/mpesa/reversal/v1/request",
    "/mpesa/b2c/v3/paymentrequest",
    "/mpesa/b2b/v1/paymentrequest",
)
STATUS, PULL = "/mpesa/transactionstatus/v1/query", "/pulltransactions/v1/query"

PUSHED = {
    "MerchantRequestID": "2654-4b64",
    "CheckoutRequestID": "ws_CO_1",
    "ResponseCode": "0",
    "ResponseDescription": "Success. Request accepted for processing",
    "CustomerMessage": "Success.",
}
ACCEPTED = {
    "ConversationID": "AG_1",
    "OriginatorConversationID": "5118-111210482-1",
    "ResponseCode": "0",
    "ResponseDescription": "Accept the service request successfully.",
}


def refusal(code: str, message: str = "Refused") -> dict:
    return {"requestId": "1-2-3", "errorCode": code, "errorMessage": message}


def mpesa(**settings: str) -> MpesaProvider:
    """On an address where nothing listens."""
    return make_provider(MpesaProvider, **(SETTINGS | settings))


def account(**settings: str) -> Account:
    return mpesa(**settings).account


def read(body: object, notice: str = "") -> CallbackEvent:
    """What M-Pesa's callback with this body (bytes as they are) says at a URL with this notice."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    query = {"notice": notice} if notice else {}
    return mpesa().read_callback(Callback("POST", {"content-type": "text/plain"}, query, raw))


def scripted(daraja: Scripted, **settings: object) -> MpesaProvider:
    """On a Daraja with scripted answers."""
    plain = {
        "consumer_key": "key",
        "consumer_secret": "s3cret",
        "passkey": "pass-key",
        "security_credential": "credential",
    }
    return make_provider(MpesaProvider, daraja.url, **(SETTINGS | plain | settings))


def pushed(code: object = 0, items: object = None, **more: object) -> dict:
    push = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": "ws_CO_191220191020363925",
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
        **more,
    }
    if items is not None:
        push["CallbackMetadata"] = {"Item": items}
    return {"Body": {"stkCallback": push}}


def result(code: object = 0, parameters: object = None, **more: object) -> dict:
    body = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
        "OriginatorConversationID": "29112-34801843-1",
        "ConversationID": "AG_20240706_1",
        "TransactionID": "SG632NMUAB",
        "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "https://example"}},
        **more,
    }
    if parameters is not None:
        body["ResultParameters"] = {"ResultParameter": parameters}
    return {"Result": body}


def on(sandbox: RunningSandbox, **settings: object) -> MpesaProvider:
    return make_provider(
        MpesaProvider,
        f"{sandbox.url}/mpesa",
        **(SETTINGS | {"b2b_shortcode": "600984", "pull": "true"} | settings),
    )


def charge_of(
    receiver: CallbackReceiver, shillings: int = 120, phone: str = "+254712345678"
) -> ChargeRequest:
    number = uuid.uuid4()
    return ChargeRequest(
        str(number),
        number.hex[:12].upper(),
        Money(shillings * 100, "KES"),
        Customer(phone=phone),
        f"{receiver.url}/push/{number.hex}",
        receiver.url,
        "Order #4711 of 20 May, two chairs",
    )


def charge_reference(
    request: ChargeRequest, provider_reference: str | None, receipt: str | None = None
) -> ChargeReference:
    return ChargeReference(
        request.reference,
        request.short_reference,
        request.amount,
        clock.now(),
        provider_reference,
        receipt,
        request.callback_url,
    )


def payout_of(receiver: CallbackReceiver, shillings: int = 500, **destination: str) -> PayoutRequest:
    method = PayoutMethod.TILL if "till_number" in destination else PayoutMethod.MPESA
    number = uuid.uuid4()
    return PayoutRequest(
        str(number),
        Money(shillings * 100, "KES"),
        method,
        destination or {"phone_number": "254712345678"},
        f"{receiver.url}/payout/{number.hex}",
    )


def read_received(provider: MpesaProvider, received: Received) -> CallbackEvent:
    query = dict(parse_qsl(urlsplit(received.path).query))
    return provider.read_callback(Callback(received.method, received.headers, query, received.body))


def wait_for_callback(
    provider: MpesaProvider, receiver: CallbackReceiver, url: str, *, event_type: str = ""
) -> CallbackEvent:
    """The first callback of this type to a URL."""

    def found() -> CallbackEvent | None:
        events = [read_received(provider, received) for received in receiver.of(urlsplit(url).path)]
        return next((event for event in events if event.event_type.endswith(event_type)), None)

    return wait_until(found, f"a callback {event_type} arrives")


def rule(sandbox: RunningSandbox, operation: str, fault: str, **more: object) -> None:
    sandbox.control(
        {"rules": [{"provider": "mpesa", "operation": operation, "fault": fault, "times": 1, **more}]}
    )


def paid(provider: MpesaProvider, receiver: CallbackReceiver, shillings: int = 120) -> ChargeReference:
    request = charge_of(receiver, shillings)
    pushed = provider.charge(request)
    event = wait_for_callback(provider, receiver, request.callback_url)
    assert event.reported and event.reported.state is State.SUCCEEDED
    return charge_reference(request, pushed.provider_reference, event.reported.receipt)
