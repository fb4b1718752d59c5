"""A payment as merchants and events see it: the Transaction fields of document 001."""

from __future__ import annotations

from typing import Any

from app.clock import iso_z
from app.models.payment import Payment, Refund, RefundState
from app.money import Money
from app.services.payments.states import FINAL_PAYMENTS


def describe(payment: Payment) -> dict[str, Any]:
    """JSON-safe; amounts are decimal strings with the currency's decimals, times ISO 8601 in UTC.

    Beyond document 001: refunded_amount, failure_reason, and `review` when a person has to look at the payment.
    """
    return {
        "id": str(payment.id),
        "idempotency_key": payment.idempotency_key,
        "provider": payment.provider,
        "provider_transaction_id": payment.provider_transaction_id,
        "amount": str(Money(payment.amount, payment.currency)),
        "currency": payment.currency,
        "status": payment.status,
        "customer": customer_of(payment),
        "payment_method": payment.payment_method,
        "metadata": payment.payment_metadata,
        "provider_response": payment.provider_response,
        # Only while the customer can still go there.
        "payment_url": None if payment.status in FINAL_PAYMENTS else payment.payment_url,
        "refunded_amount": str(Money(payment.refunded, payment.currency)),
        "failure_reason": payment.failure_reason,
        "review": payment.review,
        "created_at": iso_z(payment.created_at),
        "updated_at": iso_z(payment.updated_at),
        "completed_at": iso_z(payment.completed_at) if payment.completed_at else None,
    }


def customer_of(payment: Payment) -> dict[str, str | None]:
    return {
        "id": payment.customer_id,
        "phone": payment.customer_phone,
        "email": payment.customer_email,
        "name": payment.customer_name,
    }


def describe_refund(refund: Refund) -> dict[str, Any]:
    return {
        "id": str(refund.id),
        "payment_id": str(refund.payment_id),
        "amount": str(Money(refund.amount, refund.currency)),
        "currency": refund.currency,
        "reason": refund.reason,
        "origin": refund.origin,
        "status": "processing"
        if refund.state
        in (RefundState.CREATED, RefundState.SENDING, RefundState.UNKNOWN, RefundState.PENDING)
        else refund.state,
        "provider_refund_id": refund.provider_reference,
        "failure_reason": refund.error_message,
        "created_at": iso_z(refund.created_at),
        "completed_at": iso_z(refund.completed_at) if refund.completed_at else None,
    }


def event_data(payment: Payment, refund: Refund | None = None) -> dict[str, Any]:
    """What an event carries: all but the provider's own answer, which may hold a key for the customer's page."""
    data = describe(payment)
    for name in ("provider_response", "amount"):
        del data[name]
    data |= {"tenant_id": str(payment.tenant_id), "amount_minor": payment.amount}
    if refund is not None:
        data["refund"] = describe_refund(refund)
    return data
