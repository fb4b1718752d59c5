"""The bodies that go to Daraja, field by field as the portal spells them (also where it misspells)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from app.providers.base import Account, ChargeRequest, PayoutRequest, RefundRequest
from app.providers.errors import RequestRejected
from app.providers.mpesa.credentials import push_password, security_credential
from app.providers.mpesa.settings import B2C_MINIMUM, has_pull
from app.providers.mpesa.values import msisdn, short_reference_text, till_number, whole_shillings, with_notice

SHORTCODE_IDENTIFIER: Final = "4"
REVERSAL_IDENTIFIER: Final = "11"
MAX_DESCRIPTION: Final = 13
MAX_REMARKS: Final = 100
MAX_ACCOUNT_REFERENCE: Final = 12
ACCOUNT_REFERENCE: Final = re.compile(rf"[A-Za-z0-9]{{1,{MAX_ACCOUNT_REFERENCE}}}")


def push(account: Account, request: ChargeRequest, moment: datetime) -> dict[str, Any]:
    """STK push. To a till, BusinessShortCode is the store number and PartyB the till."""
    till = account["till"]
    phone = msisdn(request.customer.phone)
    return {
        **_signed(account, moment),
        "TransactionType": "CustomerBuyGoodsOnline" if till else "CustomerPayBillOnline",
        "Amount": whole_shillings(request.amount),
        "PartyA": phone,
        "PartyB": till or account["shortcode"],
        "PhoneNumber": phone,
        "CallBackURL": request.callback_url,
        "AccountReference": _account_reference(account, request),
        "TransactionDesc": short_reference_text(request.description, MAX_DESCRIPTION, "Payment"),
    }


def _account_reference(account: Account, request: ChargeRequest) -> str:
    """The merchant's reference where it fits. Ours where lost payments are looked for in the statement, which needs one that no
    other payment has."""
    theirs = request.merchant_reference or ""
    return (
        theirs if ACCOUNT_REFERENCE.fullmatch(theirs) and not has_pull(account) else request.short_reference
    )


def push_query(account: Account, checkout_request_id: str, moment: datetime) -> dict[str, Any]:
    """STK query."""
    return {**_signed(account, moment), "CheckoutRequestID": checkout_request_id}


def reversal(account: Account, request: RefundRequest) -> dict[str, Any]:
    """Reversal of a collection by its receipt."""
    return {
        "Initiator": account["initiator"],
        "SecurityCredential": security_credential(account),
        "CommandID": "TransactionReversal",
        "TransactionID": request.charge.receipt,
        "Amount": whole_shillings(request.amount),
        "ReceiverParty": account["shortcode"],
        "RecieverIdentifierType": REVERSAL_IDENTIFIER,
        "Remarks": short_reference_text(request.reason, MAX_REMARKS, "Refund"),
        **_urls(request.callback_url, "refund"),
    }


def to_phone(account: Account, request: PayoutRequest) -> dict[str, Any]:
    """B2C v3. OriginatorConversationID is the idempotency key: Daraja refuses a repeat."""
    amount = whole_shillings(request.amount)
    if amount < B2C_MINIMUM:
        raise RequestRejected(f"M-Pesa pays out {B2C_MINIMUM}.00 KES or more to a phone.", code="amount")
    return {
        "OriginatorConversationID": request.reference,
        "InitiatorName": account["initiator"],
        "SecurityCredential": security_credential(account),
        "CommandID": account["b2c_command"],
        "Amount": amount,
        "PartyA": phone_shortcode(account),
        "PartyB": msisdn(request.destination.get("phone_number")),
        "Remarks": short_reference_text(request.reason, MAX_REMARKS, "Payout"),
        **_urls(request.callback_url, "payout"),
    }


def to_till(account: Account, request: PayoutRequest) -> dict[str, Any]:
    """B2B to a till. No documented idempotency, so it is never sent again while its outcome is unknown."""
    return {
        "Initiator": account["initiator"],
        "SecurityCredential": security_credential(account),
        "CommandID": "BusinessBuyGoods",
        "SenderIdentifierType": SHORTCODE_IDENTIFIER,
        "RecieverIdentifierType": account["till_receiver_type"],
        "Amount": whole_shillings(request.amount),
        "PartyA": till_shortcode(account),
        "PartyB": till_number(request.destination.get("till_number")),
        "AccountReference": request.reference.replace("-", "")[-MAX_ACCOUNT_REFERENCE:],
        "Remarks": short_reference_text(request.reason, MAX_REMARKS, "Payout"),
        **_urls(request.callback_url, "till"),
    }


def status_query(account: Account, originator: str, shortcode: str) -> dict[str, Any]:
    """Transaction status, asked as the shortcode that the money left or came to. originator: the *Originator*
    ConversationID of the request that is asked about; the field is only spelt otherwise."""
    return {"OriginalConversationID": originator, **_status_query(account, shortcode)}


def receipt_query(account: Account, receipt: str) -> dict[str, Any]:
    """Transaction status of a collection, by its receipt."""
    return {"TransactionID": receipt, **_status_query(account, account["shortcode"])}


def _status_query(account: Account, shortcode: str) -> dict[str, Any]:
    return {
        "Initiator": account["initiator"],
        "SecurityCredential": security_credential(account),
        "CommandID": "TransactionStatusQuery",
        "PartyA": shortcode,
        "IdentifierType": SHORTCODE_IDENTIFIER,
        "Remarks": "Status",
        "Occasion": "Status",
    }


def status_urls(callback_url: str, operation: str) -> dict[str, str]:
    """Where a status query's answer goes. operation: `payout`, `refund` or `payment`."""
    return {
        "ResultURL": with_notice(callback_url, f"{operation}-status"),
        "QueueTimeOutURL": with_notice(callback_url, f"{operation}-timeout"),
    }


def phone_shortcode(account: Account) -> str:
    """Payouts to phones leave from here."""
    return account["b2c_shortcode"] or account["shortcode"]


def till_shortcode(account: Account) -> str:
    """Payouts to tills leave from here."""
    return account["b2b_shortcode"] or account["shortcode"]


def _signed(account: Account, moment: datetime) -> dict[str, Any]:
    password, timestamp = push_password(account["shortcode"], account["passkey"], moment)
    return {"BusinessShortCode": account["shortcode"], "Password": password, "Timestamp": timestamp}


def _urls(callback_url: str, operation: str) -> dict[str, str]:
    """Where the result goes, and where Daraja says that it did not get to it in time."""
    return {
        "ResultURL": with_notice(callback_url, operation),
        "QueueTimeOutURL": with_notice(callback_url, f"{operation}-timeout"),
    }
