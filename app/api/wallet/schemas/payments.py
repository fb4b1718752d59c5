"""Bodies of wallet payments."""

from __future__ import annotations

from typing import Any

from marshmallow import fields as ma

from app.clock import iso_z
from app.http import fields
from app.http.schema import Schema
from app.models.wallet_payment import WalletPayment
from app.money import Money
from app.services.wallets.payments import MAX_BATCH

_DESTINATION = {"description": "The recipient's e-mail address or wallet id (`acc_…`)."}
_STATUS = {"enum": ["pending", "processing", "completed", "failed"]}


class BatchItem(Schema):
    amount = fields.Amount(required=True)
    currency = fields.Currency(metadata={"description": "ISO 4217; default: the wallet's."})
    destination = fields.Text(required=True, max_length=254, metadata=_DESTINATION)
    description = fields.Text(max_length=500, min_length=0)
    metadata = fields.JsonObject()


class PaymentRequest(BatchItem):
    source_wallet_id = fields.Text(required=True, max_length=64)


class BatchRequest(Schema):
    source_wallet_id = fields.Text(required=True, max_length=64)
    payments = fields.ListOf(ma.Nested(BatchItem), required=True, maximum=MAX_BATCH)


class PaymentFacts(Schema):
    payment_id = ma.String(metadata={"examples": ["pmt_0195f3a0b1c27d8e9f00112233445566"]})
    id = ma.String()
    status = ma.String(metadata=_STATUS)
    amount = ma.String(metadata={"examples": ["100.00"]})
    currency = ma.String()
    created_at = ma.String()


class PaymentCreated(PaymentFacts):
    data = ma.Nested(PaymentFacts, metadata={"description": "A copy of the fields above."})


class PaymentAnswer(PaymentFacts):
    transaction_id = ma.String(metadata={"examples": ["txn_0195f3a0b1c27d8e9f00112233445566"]})
    source_wallet_id = ma.String()
    destination = ma.String()
    description = ma.String(allow_none=True)
    metadata = ma.Dict(allow_none=True)
    completed_at = ma.String(allow_none=True)
    failure_reason = ma.String(allow_none=True)


class BatchResult(PaymentFacts):
    index = ma.Integer()
    destination = ma.String()
    error = ma.Dict(metadata={"description": "code, message, field: why this item was not paid."})


class BatchAnswer(Schema):
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
