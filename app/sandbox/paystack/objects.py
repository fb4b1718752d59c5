"""A transaction as JSON, as it is in verify, lists, charge_authorization and charge.success."""

from __future__ import annotations

import hashlib

from app import json_numbers
from app.sandbox.store import Document

NOT_COMPLETED = "The transaction was not completed"


def details(transaction: Document) -> Document:
    """The transaction in `verify`. Metadata is as it was sent, or an empty text when none was."""
    return {
        "id": transaction["id"],
        "domain": "test",
        "status": transaction["status"],
        "reference": transaction["reference"],
        "receipt_number": transaction["receipt"],
        "amount": transaction["charged_subunits"],
        "message": None,
        "gateway_response": transaction["gateway_response"],
        "paid_at": transaction["paid_at"],
        "created_at": transaction["created_at"],
        "channel": transaction["channel"],
        "currency": transaction["currency"],
        "ip_address": "127.0.0.1",
        "metadata": "" if transaction["metadata"] is None else transaction["metadata"],
        "log": None,
        "fees": transaction["fees"],
        "fees_split": None,
        "authorization": transaction["authorization"] or {},
        "customer": transaction["customer"],
        "plan": None,
        "split": {},
        "order_id": None,
        "paidAt": transaction["paid_at"],
        "createdAt": transaction["created_at"],
        "requested_amount": transaction["requested_subunits"],
        "pos_transaction_data": None,
        "source": None,
        "fees_breakdown": None,
        "connect": None,
        "transaction_date": transaction["created_at"],
        "plan_object": {},
        "subaccount": {},
    }


def webhook_details(transaction: Document) -> Document:
    """The transaction in charge.success: the same, but metadata is null when none was sent."""
    return details(transaction) | {"metadata": transaction["metadata"]}


def metadata_of(transaction: Document) -> Document:
    """The metadata as an object, also when it was sent as JSON text. Empty when it is neither."""
    metadata = transaction["metadata"]
    if isinstance(metadata, str):
        try:
            metadata = json_numbers.loads(metadata, fraction=float)
        except ValueError:
            return {}
    return metadata if isinstance(metadata, dict) else {}


def card_authorization(number: str, code: str) -> Document:
    """The authorization of a card."""
    return {
        "authorization_code": code,
        "bin": number[:6],
        "last4": number[-4:],
        "exp_month": "12",
        "exp_year": "2030",
        "channel": "card",
        "card_type": "visa ",
        "bank": "TEST BANK",
        "country_code": "NG",
        "brand": "visa",
        "reusable": True,
        "signature": _signature(number),
        "account_name": None,
    }


def other_authorization(channel: str, account: str, bank: str, code: str) -> Document:
    """The authorization of a wallet or bank account, which cannot be charged again."""
    return {
        "authorization_code": code,
        "bin": f"{account[:3]}XXX",
        "last4": f"X{account[-3:]}",
        "exp_month": "12",
        "exp_year": "9999",
        "channel": channel,
        "card_type": "",
        "bank": bank,
        "country_code": "",
        "brand": bank,
        "reusable": False,
        "signature": None,
        "account_name": None,
    }


def _signature(number: str) -> str:
    """The same card has the same signature in every transaction."""
    return "SIG_" + hashlib.sha256(number.encode()).hexdigest()[:20]
