"""Bodies of wallet payments."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from marshmallow import fields as ma

from app.api.wallet.schemas.errors import ErrorContent
from app.clock import iso_z
from app.http import fields
from app.http.answers import Amount, Answer, Time, one_of
from app.http.schema import Schema
from app.models.wallet_payment import WalletPayment, WalletPaymentStatus
from app.money import Money
from app.services.wallets.payments import MAX_BATCH

_DESTINATION: Final = {
    "description": "The recipient's e-mail address or wallet id (`acc_…`).",
    "examples": ["bob@example.com"],
}
_SOURCE: Final = {"description": "Your wallet's id.", "examples": ["acc_sender_123"]}


class BatchItem(Schema):
    amount = fields.Amount(required=True)
    currency = fields.Currency(metadata={"description": "ISO 4217; default: the wallet's."})
    destination = fields.Text(required=True, max_length=254, metadata=_DESTINATION)
    description = fields.FreeText(max_length=500, min_length=0)
    metadata = fields.JsonObject()


class PaymentRequest(BatchItem):
    examples: ClassVar = {
        "dinner": {
            "amount": 100.00,
            "currency": "USD",
            "source_wallet_id": "acc_sender_123",
            "destination": "bob@example.com",
            "description": "Dinner payment",
            "metadata": {"occasion": "birthday_dinner", "participants": 4},
        },
        "wallet to wallet": {
            "amount": "12.50",
            "source_wallet_id": "acc_sender_123",
            "destination": "acc_recipient_456",
        },
    }

    source_wallet_id = fields.Text(required=True, max_length=64, metadata=_SOURCE)


class BatchRequest(Schema):
    examples: ClassVar = {
        "three": {
            "source_wallet_id": "acc_sender_123",
            "payments": [
                {"destination": "alice@example.com", "amount": 50.00, "description": "Payment 1"},
                {"destination": "bob@example.com", "amount": 75.00, "description": "Payment 2"},
                {"destination": "charlie@example.com", "amount": 100.00, "description": "Payment 3"},
            ],
        }
    }

    source_wallet_id = fields.Text(required=True, max_length=64, metadata=_SOURCE)
    payments = fields.ListOf(ma.Nested(BatchItem), required=True, maximum=MAX_BATCH)


class PaymentFacts(Answer):
    payment_id = ma.String(metadata={"examples": ["pmt_0195f3a0b1c27d8e9f00112233445566"]})
    id = ma.String()
    status = one_of(*WalletPaymentStatus)
    amount = Amount(metadata={"examples": ["100.00"]})
    currency = ma.String()
    created_at = Time()


class PaymentCreated(PaymentFacts):
    data = ma.Nested(PaymentFacts, metadata={"description": "A copy of the fields above."})


class PaymentAnswer(PaymentFacts):
    transaction_id = ma.String(metadata={"examples": ["txn_0195f3a0b1c27d8e9f00112233445566"]})
    source_wallet_id = ma.String()
    destination = ma.String()
    description = ma.String(allow_none=True)
    metadata = ma.Dict(allow_none=True)
    completed_at = Time(allow_none=True)
    failure_reason = ma.String(allow_none=True)


class BatchResult(Answer):
    """One item, in its place: paid with the fields of a payment, or `failed` with an error and no payment."""

    optional = frozenset({"id", "amount", "currency", "created_at", "error"})

    index = ma.Integer()
    destination = ma.String()
    payment_id = ma.String(allow_none=True, metadata={"description": "Null when it was not paid."})
    id = ma.String()
    status = one_of(*WalletPaymentStatus)
    amount = Amount()
    currency = ma.String()
    created_at = Time()
    error = ma.Nested(ErrorContent, metadata={"description": "Why this item was not paid."})


class BatchAnswer(Answer):
    results = ma.List(ma.Nested(BatchResult))
    total = ma.Integer()
    succeeded = ma.Integer()
    failed = ma.Integer()


def payment_view(payment: WalletPayment) -> dict[str, Any]:
    """A payment as REST shows it; `status` and `completed_at` are what the relay has published so far."""
    return {
        "payment_id": payment.public_id,
        "id": payment.public_id,
        "status": payment.status,
        "amount": str(Money(payment.amount, payment.currency)),
        "currency": payment.currency,
        "transaction_id": payment.transaction_id,
        "source_wallet_id": payment.source,
        "destination": payment.destination,
        "description": payment.description,
        "metadata": payment.payment_metadata,
        "created_at": iso_z(payment.created_at),
        "completed_at": iso_z(payment.completed_at) if payment.completed_at else None,
        "failure_reason": payment.failure_reason,
    }
