"""Who gets a Paystack transfer: the destination as a transfer recipient."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from app.providers.base import PayoutMethod, PayoutRequest
from app.providers.errors import NotSent, OutcomeUnknown, RequestRejected
from app.providers.paystack.amounts import mpesa_number
from app.providers.paystack.client import PaystackClient
from app.providers.paystack.statuses import RECIPIENTS
from app.providers.replies import word


def payout_methods() -> Mapping[PayoutMethod, frozenset[str]]:
    """Method → currencies, out of the table of recipients."""
    methods = {method for method, _ in RECIPIENTS}
    return MappingProxyType(
        {
            method: frozenset(currency for kind, currency in RECIPIENTS if kind is method)
            for method in sorted(methods)
        }
    )


def make_recipient(client: PaystackClient, request: PayoutRequest, *, kes_bank_type: str) -> str:
    """The recipient_code of the destination; Paystack gives the same one for the same account.

    A lost answer is NotSent here, not OutcomeUnknown: a recipient moves no money, and no transfer was sent.
    """
    body = recipient_body(request, kes_bank_type=kes_bank_type)
    try:
        data = client.post("/transferrecipient", body)
    except OutcomeUnknown as error:
        raise _unmade(error) from None
    code = word(data, "recipient_code")
    if code is None:
        raise NotSent(
            "Paystack made no recipient for this payout; no transfer was sent.", code="no_recipient"
        )
    return code


def recipient_body(request: PayoutRequest, *, kes_bank_type: str) -> dict[str, Any]:
    """kes_bank_type: the recipient type of Kenyan banks, which no document of Paystack names. Raises RequestRejected for a method, currency or destination Paystack cannot pay to."""
    currency = request.amount.currency
    if (request.method, currency) not in RECIPIENTS:
        raise RequestRejected(f"Paystack cannot pay {currency} to {request.method.value}.", code="method")
    kind, bank_code = RECIPIENTS[request.method, currency]
    if request.method is PayoutMethod.BANK and currency == "KES":
        kind = kes_bank_type
    number = _account_number(request)
    return {
        "type": kind,
        # A name is required; wallets and tills come without one.
        "name": request.destination.get("account_name", "").strip() or number,
        "account_number": number,
        "bank_code": bank_code or _needed(request, "bank_code"),
        "currency": currency,
    }


def _account_number(request: PayoutRequest) -> str:
    if request.method is PayoutMethod.TILL:
        return _needed(request, "till_number")
    if request.method is PayoutMethod.BANK:
        return _needed(request, "account_number")
    number = mpesa_number(_needed(request, "phone_number"))
    if number is None:
        raise RequestRejected("Paystack pays M-Pesa to Kenyan mobile numbers only.", code="phone_number")
    return number


def _needed(request: PayoutRequest, name: str) -> str:
    value = request.destination.get(name, "").strip()
    if not value:
        raise RequestRejected(f"Paystack needs the destination's {name}.", code=name)
    return value


def _unmade(error: OutcomeUnknown) -> NotSent:
    return NotSent(
        "Paystack made no recipient for this payout; no transfer was sent.",
        code=error.code,
        response=error.response,
    )
