"""Presenters of the Gateway API: payments, refunds and providers (docs/api/gateway.md)."""

from __future__ import annotations

from typing import Any

from app.clock import iso_z
from app.events.payloads import customer_payload
from app.models.dispute import Dispute
from app.models.payment import Payment, PaymentStatus, Refund
from app.money import Money
from app.principal import Kind, Principal
from app.services.idempotency_service import Answer
from app.services.pages import Page, PageRequest
from app.services.payment_service import Initialized
from app.services.payments.states import FINAL_PAYMENTS, OPEN_REFUNDS
from app.services.provider_access.accounts import BoundProvider
from app.services.refunds.create import Refunded


def payment_view(payment: Payment, reader: Principal) -> dict[str, Any]:
    """The payment as its merchant sees it; for an operator, who sees every tenant's, with the tenant's id."""
    if reader.kind is Kind.OPERATOR:
        return transaction(payment) | {"tenant_id": str(payment.tenant_id)}
    return transaction(payment)


def transaction(payment: Payment) -> dict[str, Any]:
    """A payment as the API shows it. Amounts are decimal strings with the currency's decimals, times ISO 8601 in UTC.

    requested_amount differs from amount where an operator accepted another amount than the merchant requested.
    review: the most urgent open reason; reviews: all of them.
    """
    return {
        "id": str(payment.id),
        "idempotency_key": payment.idempotency_key,
        "provider": payment.provider,
        "provider_transaction_id": payment.provider_transaction_id,
        "amount": str(Money(payment.amount, payment.currency)),
        "currency": payment.currency,
        "status": payment.status,
        "customer": customer_payload(payment),
        "payment_method": payment.payment_method,
        "reference": payment.reference,
        "description": payment.description,
        "metadata": payment.payment_metadata,
        "provider_response": payment.provider_response,
        # Only while the customer can still go there.
        "payment_url": None if payment.status in FINAL_PAYMENTS else payment.payment_url,
        "requested_amount": str(payment.requested),
        "requested_currency": payment.requested_currency,
        "refunded_amount": str(Money(payment.refunded, payment.currency)),
        "failure_code": payment.failure_code,
        "failure_reason": payment.failure_reason,
        "provider_failure": payment.provider_failure,
        "review": payment.review,
        "reviews": list(payment.open_reviews),
        "created_at": iso_z(payment.created_at),
        "updated_at": iso_z(payment.updated_at),
        "completed_at": iso_z(payment.completed_at) if payment.completed_at else None,
    }


def refund_view(refund: Refund) -> dict[str, Any]:
    """`status` is processing, completed or failed."""
    return {
        "id": str(refund.id),
        "payment_id": str(refund.payment_id),
        "amount": str(Money(refund.amount, refund.currency)),
        "currency": refund.currency,
        "reason": refund.reason,
        "origin": refund.origin,
        "status": "processing" if refund.state in OPEN_REFUNDS else refund.state,
        "provider_refund_id": refund.provider_reference,
        "failure_code": refund.failure_code,
        "failure_reason": refund.failure_reason,
        "provider_failure": refund.provider_failure,
        "created_at": iso_z(refund.created_at),
        "completed_at": iso_z(refund.completed_at) if refund.completed_at else None,
    }


def dispute_view(dispute: Dispute) -> dict[str, Any]:
    """held: what of it is held in the merchant's balance; owed: what the balance lacked when it was lost."""
    return {
        "id": str(dispute.id),
        "payment_id": str(dispute.payment_id),
        "amount": str(Money(dispute.amount, dispute.currency)),
        "currency": dispute.currency,
        "status": dispute.state,
        "reason": dispute.reason,
        "held": str(Money(dispute.held, dispute.currency)),
        "owed": str(Money(dispute.owed, dispute.currency)),
        "provider_dispute_id": dispute.provider_reference,
        "provider_status": dispute.provider_status,
        "opened_at": iso_z(dispute.opened_at),
        "updated_at": iso_z(dispute.updated_at),
        "closed_at": iso_z(dispute.closed_at) if dispute.closed_at else None,
    }


def provider_view(name: str, bound: BoundProvider) -> dict[str, Any]:
    """A provider a merchant can use, with what it can do."""
    capabilities = bound.provider.capabilities
    return {
        "name": name,
        "title": bound.provider.title,
        "environment": bound.environment,
        "currencies": sorted(capabilities.currencies),
        "capabilities": {
            "payment_page": capabilities.has_payment_page,
            "refunds": capabilities.can_refund,
            "partial_refunds": capabilities.can_refund_partially,
            "repeated_refunds": capabilities.can_refund_repeatedly,
            "cancel": capabilities.can_cancel,
            "payouts": {method.value: sorted(found) for method, found in capabilities.payouts.items()},
        },
        "needs": sorted(capabilities.needs),
    }


def initialized(result: Initialized) -> Answer:
    """201; 402: the provider refused; 502: it was not reached. The payment is failed then, and stored."""
    data = transaction(result.payment)
    if result.payment.status != PaymentStatus.FAILED:
        return Answer({"success": True, "data": data}, status=201)
    error = result.payment.failure_reason or "The payment failed."
    return Answer({"success": False, "error": error, "data": data}, status=402 if result.was_reached else 502)


def refunded(result: Refunded) -> Answer:
    """200 with the payment; 402: the provider refused; 502: it was not reached."""
    data = transaction(result.payment)
    if not result.is_failed:
        return Answer({"success": True, "data": data})
    error = result.refund.failure_reason
    return Answer({"success": False, "error": error, "data": data}, status=402 if result.was_reached else 502)


def pagination_view(page: Page[Any], request: PageRequest) -> dict[str, Any]:
    """Where a page is in its list; without its number when it was asked for by cursor."""
    total, limit = page.total or 0, request.limit
    by_cursor = request.after is not None
    return {
        "page": None if by_cursor else request.offset // limit + 1,
        "per_page": limit,
        "total": total,
        "pages": -(-total // limit),
        "has_next": page.has_next,
        "has_prev": by_cursor or request.offset > 0,
    }
