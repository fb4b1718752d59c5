"""An example of each webhook, made from sample rows by the functions that make real ones: for the catalogue and for trying."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from app.clock import iso_z
from app.events.catalogue import EventType
from app.events.payloads import dispute_payload, payment_payload, withdrawal_payload
from app.events.webhook_messages import LoggedEvent
from app.models.dispute import Dispute, DisputeState
from app.models.payment import MadeBy, Payment, PaymentStatus, Refund, RefundOrigin, RefundState
from app.models.withdrawal import Withdrawal, WithdrawalState
from app.providers import MOCK
from app.providers.base import PayoutMethod
from app.services.write_sets.rows import new_row

AT: Final = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)

_TENANT: Final = uuid.UUID("7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11")
_PAYMENT: Final = uuid.UUID("0194694b-1100-7a1b-8c2d-3e4f5a6b7c8d")
_CUSTOMER: Final = uuid.UUID("0194694b-2200-7a1b-8c2d-3e4f5a6b7c8d")
_OTHER: Final = uuid.UUID("0194694b-3300-7a1b-8c2d-3e4f5a6b7c8d")
_USER: Final = uuid.UUID("0194694b-4400-7a1b-8c2d-3e4f5a6b7c8d")
_APPROVER: Final = uuid.UUID("0194694b-5500-7a1b-8c2d-3e4f5a6b7c8d")

SHOWN: Final = (
    (EventType.PAYMENT_COMPLETED, MadeBy.GATEWAY),
    (EventType.PAYMENT_COMPLETED, MadeBy.PROCESSING),
    (EventType.REFUND_COMPLETED, MadeBy.GATEWAY),
    (EventType.REFUND_COMPLETED, MadeBy.PROCESSING),
    (EventType.DISPUTE_OPENED, MadeBy.GATEWAY),
    (EventType.ORDER_CREATED, MadeBy.TENANT),
    (EventType.WITHDRAWAL_COMPLETED, MadeBy.TENANT),
    (EventType.WEBHOOK_ENDPOINT_DISABLED, MadeBy.PROCESSING),
    (EventType.WALLET_PAYMENT_COMPLETED, None),
)
"""One event of each kind of `data`, and the API whose fields it has."""


def event(event_type: EventType, api: MadeBy | None) -> LoggedEvent:
    """A sample of the type; api: that made the payment, None for a payment between users."""
    object_id, data = _facts(event_type, api)
    return LoggedEvent("evt_a1b2c3d4e5f6789012345678", event_type, object_id, data, AT)


def _facts(event_type: EventType, api: MadeBy | None) -> tuple[str, Mapping[str, Any]]:
    """The object's id, and the event's data."""
    if api is None:
        return f"pmt_{_PAYMENT.hex}", _WALLET_PAYMENT
    noun = event_type.partition(".")[0]
    if noun == "withdrawal":
        return str(_OTHER), withdrawal_payload(_withdrawal())
    if noun == "order":
        return str(_OTHER), _ORDER
    if noun == "webhook_endpoint":
        return str(_OTHER), {"url": "https://example.com/webhooks/payments", "because": "failing"}
    payment = _payment(api, is_refunded=noun == "refund")
    data = payment_payload(payment, _refund(payment) if noun == "refund" else None)
    if noun == "dispute":
        data |= {"dispute": dispute_payload(_dispute(payment))}
    return str(_PAYMENT), data


_ORDER: Final = {
    "customer_id": str(_CUSTOMER),
    "amount_minor": 100_000,
    "currency": "KES",
    "reference": "ORD-12345",
}

_WALLET_PAYMENT: Final = {
    "amount_minor": 10_000,
    "currency": "USD",
    "status": "completed",
    "transaction_id": f"txn_{_OTHER.hex}",
    "source_wallet_id": "acc_sender_123",
    "destination": "bob@example.com",
    "description": "Dinner payment",
    "metadata": {"category": "food"},
    "completed_at": iso_z(AT),
}


def _payment(api: MadeBy, *, is_refunded: bool) -> Payment:
    is_processing = api is MadeBy.PROCESSING
    return new_row(
        Payment,
        id=_PAYMENT,
        tenant_id=_TENANT,
        idempotency_key="unique-key-123",
        provider=MOCK if is_processing else PayoutMethod.MPESA,
        payment_method="card" if is_processing else PayoutMethod.MPESA,
        provider_transaction_id=None if is_processing else "NLJ7RT61SV",
        amount=4_999 if is_processing else 100_000,
        currency="USD" if is_processing else "KES",
        status=PaymentStatus.PARTIALLY_REFUNDED if is_refunded else PaymentStatus.COMPLETED,
        customer_email="customer@example.com",
        customer_phone=None if is_processing else "+254700000000",
        customer_name=None if is_processing else "John Doe",
        description="Order #12345 - Premium Widget",
        payment_metadata={"order_id": "12345"},
        api=api,
        refunded=2_500 if is_refunded else 0,
        created_at=AT,
        updated_at=AT,
        completed_at=AT,
    )


def _refund(payment: Payment) -> Refund:
    return new_row(
        Refund,
        id=_OTHER,
        payment_id=payment.id,
        amount=2_500,
        currency=payment.currency,
        reason="requested_by_customer",
        origin=RefundOrigin.GATEWAY,
        state=RefundState.COMPLETED,
        created_at=AT,
        completed_at=AT,
    )


def _dispute(payment: Payment) -> Dispute:
    return new_row(
        Dispute,
        id=_OTHER,
        payment_id=payment.id,
        amount=payment.amount,
        currency=payment.currency,
        reason="fraudulent",
        provider_reference="du_1MtJUT2eZvKYlo2CNaw2HvEv",
        provider_status="needs_response",
        state=DisputeState.OPEN,
        held=payment.amount,
        owed=0,
        opened_at=AT,
    )


def _withdrawal() -> Withdrawal:
    return new_row(
        Withdrawal,
        id=_OTHER,
        tenant_id=_TENANT,
        amount=100_000,
        fee=3_300,
        currency="KES",
        method=PayoutMethod.MPESA,
        destination_id=_CUSTOMER,
        status=WithdrawalState.COMPLETED,
        initiated_by=_USER,
        approved_by=_APPROVER,
        created_at=AT,
        updated_at=AT,
        completed_at=AT,
    )
