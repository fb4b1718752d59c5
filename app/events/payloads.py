"""The data of events: facts about an object, in minor units, ids and states. Each reader translates them into its own
contract: Socket.IO (push_messages.py), webhooks, mails, the console.

The log is sealed, so a payload's shape never changes: a changed shape is a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app import ids
from app.clock import iso_z
from app.models.dispute import Dispute
from app.models.payment import Payment, Refund
from app.models.withdrawal import Payout, PayoutDestination, Withdrawal

VERSION: Final = 4
"""Of payments' and refunds' payloads. Version 1 had the Gateway API's field names, and has no `version`. Version 2 had the
provider's words as `failure_code` and `failure_reason`, and neither `reference` and `description` nor refunds' `failure_code`.
Version 3 had neither `api` and `order_id` nor `provider_failure_code`."""

WITHDRAWAL_VERSION: Final = 1
"""Of withdrawals' payloads."""


def payment_payload(payment: Payment, refund: Refund | None = None) -> dict[str, Any]:
    """JSON-safe. Without the provider's own response, which may hold a secret for the customer's page."""
    payload: dict[str, Any] = {
        "version": VERSION,
        "tenant_id": str(payment.tenant_id),
        "idempotency_key": payment.idempotency_key,
        "provider": payment.provider,
        "payment_method": payment.payment_method,
        "provider_transaction_id": payment.provider_transaction_id,
        "amount_minor": payment.amount,
        "currency": payment.currency,
        "status": payment.status,
        "customer": customer_payload(payment),
        "reference": payment.reference,
        "description": payment.description,
        "metadata": payment.payment_metadata,
        "payment_url": payment.payment_url,
        "refunded_minor": payment.refunded,
        "failure_code": payment.failure_code,
        "failure_reason": payment.failure_reason,
        "provider_failure_code": _code_of(payment.provider_failure),
        "api": payment.api,
        "order_id": str(payment.order_id) if payment.order_id else None,
        "reviews": list(payment.open_reviews),
        "created_at": iso_z(payment.created_at),
        "updated_at": iso_z(payment.updated_at),
        "completed_at": iso_z(payment.completed_at) if payment.completed_at else None,
    }
    return payload if refund is None else payload | {"refund": refund_payload(refund)}


def customer_payload(payment: Payment) -> dict[str, str | None]:
    return {
        "id": payment.customer_id,
        "phone": payment.customer_phone,
        "email": payment.customer_email,
        "name": payment.customer_name,
    }


def refund_payload(refund: Refund) -> dict[str, Any]:
    return {
        "id": str(refund.id),
        "payment_id": str(refund.payment_id),
        "amount_minor": refund.amount,
        "currency": refund.currency,
        "reason": refund.reason,
        "origin": refund.origin,
        "state": refund.state,
        "provider_refund_id": refund.provider_reference,
        "failure_code": refund.failure_code,
        "failure_reason": refund.failure_reason,
        "provider_failure_code": _code_of(refund.provider_failure),
        "created_at": iso_z(refund.created_at),
        "completed_at": iso_z(refund.completed_at) if refund.completed_at else None,
    }


def _code_of(provider_failure: Mapping[str, Any] | None) -> str | None:
    """The provider's own word for a failure."""
    code = (provider_failure or {}).get("code")
    return None if code is None else str(code)


def dispute_payload(dispute: Dispute) -> dict[str, Any]:
    return {
        "id": str(dispute.id),
        "payment_id": str(dispute.payment_id),
        "amount_minor": dispute.amount,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "state": dispute.state,
        "provider_dispute_id": dispute.provider_reference,
        "provider_status": dispute.provider_status,
        "held_minor": dispute.held,
        "owed_minor": dispute.owed,
        "opened_at": iso_z(dispute.opened_at),
        "closed_at": iso_z(dispute.closed_at) if dispute.closed_at else None,
    }


def withdrawal_payload(withdrawal: Withdrawal, payout: Payout | None = None) -> dict[str, Any]:
    """JSON-safe. The destination by its id alone: who may see it reads it from its row."""
    return {
        "version": WITHDRAWAL_VERSION,
        "tenant_id": str(withdrawal.tenant_id),
        "amount_minor": withdrawal.amount,
        "fee_minor": withdrawal.fee,
        "net_minor": withdrawal.net,
        "currency": withdrawal.currency,
        "status": withdrawal.status,
        "method": withdrawal.method,
        "destination_id": str(withdrawal.destination_id),
        "initiated_by": ids.public(ids.USER, withdrawal.initiated_by),
        "approved_by": ids.public(ids.USER, withdrawal.approved_by) if withdrawal.approved_by else None,
        "canceled_by": ids.public(ids.USER, withdrawal.canceled_by) if withdrawal.canceled_by else None,
        "cancel_reason": withdrawal.cancel_reason,
        "failure_code": withdrawal.failure_code,
        "failure_reason": withdrawal.failure_reason,
        "provider": payout.provider if payout else None,
        "provider_reference": payout.provider_reference if payout else None,
        "receipt": payout.receipt if payout else None,
        "created_at": iso_z(withdrawal.created_at),
        "updated_at": iso_z(withdrawal.updated_at),
        "completed_at": iso_z(withdrawal.completed_at) if withdrawal.completed_at else None,
    }


def destination_payload(destination: PayoutDestination, masked: Mapping[str, str]) -> dict[str, Any]:
    """masked: its details, as anyone may see them."""
    return {
        "destination_id": str(destination.id),
        "method": destination.method,
        "details": dict(masked),
    }
