"""M-Pesa: a paybill with an operator, so that it can reverse and pay out, and with the pull API."""

from app.providers.base import Customer, PayoutMethod
from app.providers.mpesa import MpesaProvider
from tests.providers.contract.case import ContractCase

PHONE = {"phone_number": "254712345678"}


def unheard_of(body: dict) -> None:
    assert "ResultCode" in body
    body.update(ResultCode="7777", ResultDesc="Unheard of")


CASES = (
    ContractCase(
        provider=MpesaProvider,
        settings={
            "consumer_key": "sandbox-consumer-key",
            "consumer_secret": "sandbox-consumer-secret",
            "shortcode": "174379",
            "passkey": "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919",
            "initiator": "testapi",
            "security_credential": "c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs",
            "b2c_shortcode": "600984",
            "b2b_shortcode": "600984",
            "pull": "true",
        },
        wrong_settings={"consumer_secret": "not-the-secret"},
        refused_settings={"shortcode": "600000"},
        currency="KES",
        customer=Customer(phone="+254708374149"),
        operations={
            "charge": "stkpush",
            "inquire": "stkquery",
            "refund": "reversal",
            "inquire_refund": "status",
            "pay_out": "b2c",
            "inquire_payout": "status",
            "statement": "pull",
        },
        paths={
            "token": r"GET .*/oauth/v1/generate",
            "charge": r"POST .*/stkpush/v1/processrequest",
            "inquire": r"POST .*/stkpushquery/v1/query",
            "refund": r"POST .*/reversal/v1/request",
            "inquire_refund": r"POST .*/transactionstatus/v1/query",
            "pay_out": r"POST .*/b2[cb]/v\d/paymentrequest",
            "inquire_payout": r"POST .*/transactionstatus/v1/query",
            "statement": r"POST .*/pulltransactions/v1/query",
        },
        refusal=(
            400,
            {"requestId": "1", "errorCode": "400.002.02", "errorMessage": "Bad Request - Not allowed"},
        ),
        own_reference=("CheckoutRequestID",),
        unknown_words={"inquire": unheard_of},
        destinations={
            (PayoutMethod.MPESA, "KES"): PHONE,
            (PayoutMethod.TILL, "KES"): {"till_number": "247247"},
        },
        has_tokens=True,
        unkeyed_payouts=frozenset({PayoutMethod.TILL}),
        live_settings={
            "consumer_key": "key-of-the-app",
            "shortcode": "600123",
            "passkey": "f" * 64,
            "consumer_secret": "secret-of-the-app",
            "security_credential": "b2YgdGhlIG9wZXJhdG9y",
        },
        without_modes="Daraja's answers name no environment: the host that is called decides.",
    ),
)
