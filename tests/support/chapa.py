"""What tests of the Chapa adapter need when there is no Chapa: an account, requests, answers."""

from __future__ import annotations

from typing import Any

from app import clock
from app.money import Money
from app.providers.base import ChargeReference, PayoutMethod, PayoutRequest
from app.providers.chapa import Chapa
from tests.support.providers import make_provider

REFERENCE = "0192f0c1-7a3b-7c11-8a52-3f2b6d1e9a01"
RECEIPT = "6jnheVKQEmy"
SECRET = "chapa_hook_secret"
VERIFY = f"/transaction/verify/{REFERENCE}"


def chapa(url: str = "http://127.0.0.1:9", **values: str) -> Chapa:
    settings = {
        "secret_key": "CHASECK_TEST-sandbox",
        "webhook_secret": SECRET,
        "approval_secret": "approve",
    }
    return make_provider(Chapa, url, timeout_s=20.0, **(settings | values))


def charge_reference(receipt: str | None = RECEIPT) -> ChargeReference:
    return ChargeReference(REFERENCE, "A1B2C3", Money(10050, "ETB"), clock.now(), receipt=receipt)


def payout_request(method: PayoutMethod = PayoutMethod.BANK, **instead: str) -> PayoutRequest:
    destination = {
        "account_name": "Abebe Kebede",
        "account_number": "1000123456789",
        "bank_code": "946",
    } | instead
    return PayoutRequest(REFERENCE, Money(200000, "ETB"), method, destination)


def failed(message: object, status: str | None = "failed") -> dict[str, Any]:
    return {"message": message, "status": status, "data": None}


def succeeded(data: object, message: str = "ok") -> dict[str, Any]:
    return {"message": message, "status": "success", "data": data}


def details(**instead: object) -> dict[str, Any]:
    """What verify says of a payment."""
    data = {
        "status": "success",
        "tx_ref": REFERENCE,
        "reference": RECEIPT,
        "amount": 100.5,
        "currency": "ETB",
        "charge": 3.5,
        "email": "a@b.et",
    }
    return succeeded(data | instead, "Payment details")
