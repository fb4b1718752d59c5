"""The JSON of a transaction: what verify, the lists, charge_authorization and charge.success show."""

from __future__ import annotations

import hashlib
from typing import Any

from app import json_numbers

Document = dict[str, Any]

NOT_COMPLETED = "The transaction was not completed"


def transaction(kept: Document) -> Document:
    """As `verify` shows it. Metadata comes back as it was sent, and as an empty text when none was."""
    return {
        "id": kept["id"],
        "domain": "test",
        "status": kept["status"],
        "reference": kept["reference"],
        "receipt_number": kept["receipt"],
        "amount": kept["charged_subunits"],
        "message": None,
        "gateway_response": kept["gateway_response"],
        "paid_at": kept["paid_at"],
        "created_at": kept["created_at"],
        "channel": kept["channel"],
        "currency": kept["currency"],
        "ip_address": "127.0.0.1",
        "metadata": "" if kept["metadata"] is None else kept["metadata"],
        "log": None,
        "fees": kept["fees"],
        "fees_split": None,
        "authorization": kept["authorization"] or {},
        "customer": kept["customer"],
        "plan": None,
        "split": {},
        "order_id": None,
        "paidAt": kept["paid_at"],
        "createdAt": kept["created_at"],
        "requested_amount": kept["requested_subunits"],
        "pos_transaction_data": None,
        "source": None,
        "fees_breakdown": None,
        "connect": None,
        "transaction_date": kept["created_at"],
        "plan_object": {},
        "subaccount": {},
    }


def in_webhook(kept: Document) -> Document:
    """As charge.success shows it: the same, metadata null when none was sent."""
    return transaction(kept) | {"metadata": kept["metadata"]}


def metadata_of(kept: Document) -> Document:
    """The metadata as an object, whether it was sent as one or as JSON text; empty when it is neither."""
    sent = kept["metadata"]
    if isinstance(sent, str):
        try:
            sent = json_numbers.loads(sent, fraction=float)
        except ValueError:
            return {}
    return sent if isinstance(sent, dict) else {}


def card_authorization(number: str, code: str) -> Document:
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
    """Of a wallet or a bank account: it cannot be charged again."""
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
