"""Stripe's objects as documents: their ids and members."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any, Final

from app.sandbox.store import Document
from app.sandbox.stripe.cards import Card

_ALPHABET: Final = string.ascii_letters + string.digits


def new_id(prefix: str, *, length: int = 24) -> str:
    """`pi_` and 24 letters and digits."""
    return prefix + "_" + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def public(document: Mapping[str, Any]) -> Document:
    """The document without the sandbox's own members, whose names begin with an underscore."""
    return {name: value for name, value in document.items() if not name.startswith("_")}


def payment_method(card: Card, *, created: int) -> Document:
    """A card as an attached payment method, without its full number."""
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "card": {
            "brand": card.brand,
            "country": "US",
            "exp_month": 12,
            "exp_year": 2034,
            "funding": "credit",
            "last4": card.last4,
        },
        "created": created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
        "_method": card.method,
        "_is_used": False,
    }


def payment_intent(*, amount: int, currency: str, created: int, **more: Any) -> Document:
    """A new PaymentIntent."""
    id = more.pop("id", None) or new_id("pi")
    return {
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{id}_secret_{new_id('x', length=25)[2:]}",
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **more,
    }


def charge(intent: Mapping[str, Any], card: Card, *, id: str, created: int) -> Document:
    """The charge of one attempt. `status`, `captured` and `failure_code` are its state."""
    is_paid = card.outcome != "declined"
    is_captured = is_paid and intent["capture_method"] != "manual"
    return {
        "id": id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if is_captured else 0,
        "amount_refunded": 0,
        "balance_transaction": new_id("txn") if is_captured else None,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "captured": is_captured,
        "created": created,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": None if is_paid else card.code,
        "failure_message": None if is_paid else card.message,
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": {
            "network_status": "approved_by_network" if is_paid else "declined_by_network",
            "reason": None if is_paid else card.decline_code,
            "seller_message": "Payment complete." if is_paid else card.message,
            "type": "authorized" if is_paid else "issuer_declined",
        },
        "paid": is_paid,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": {"card": {"brand": card.brand, "last4": card.last4}, "type": "card"},
        "receipt_email": intent["receipt_email"],
        "refunded": False,
        "status": "succeeded" if is_paid else "failed",
        "_reference": intent["_reference"],
        "_refund_outcome": card.refund_outcome,
    }


def refund(charge: Mapping[str, Any], *, amount: int, created: int, **more: Any) -> Document:
    """A refund of a charge."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": new_id("txn"),
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
        **more,
    }


DISPUTE_FEE: Final = 1500
"""Minor units that Stripe takes when it withdraws a disputed amount."""


def balance_transaction(dispute: Mapping[str, Any], *, sign: int, created: int) -> Document:
    """The disputed amount and the fee, withdrawn (sign -1) or reinstated (1)."""
    amount, fee = sign * dispute["amount"], -sign * DISPUTE_FEE
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "created": created,
        "currency": dispute["currency"],
        "fee": fee,
        "net": amount - fee,
        "reporting_category": "dispute" if sign < 0 else "dispute_reversal",
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }


def dispute(charge: Mapping[str, Any], *, created: int, is_inquiry: bool) -> Document:
    """A dispute of the cardholder's bank about the whole charge, as fraudulent, or an inquiry about it."""
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": charge["amount"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "evidence": {"uncategorized_text": None},
        "evidence_details": {"due_by": created + 7 * 86400, "has_evidence": False, "submission_count": 0},
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }
