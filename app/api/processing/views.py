"""Presenters of the Processing API: payments and refunds as document 003 shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app import ids
from app.api.processing.times import iso
from app.http.numbers import number
from app.models.payment import Payment, PaymentStatus, Refund
from app.money import Money
from app.services.idempotency_service import Answer
from app.services.pages import Page, PageRequest
from app.services.payment_service import Initialized
from app.services.payments.states import OPEN_REFUNDS
from app.services.refunds.create import Refunded

LIVEMODE: Final = False
"""The provider of this API's payments moves no real money."""

_PAYMENT_REFUSED: Final = 402


def payment_view(payment: Payment) -> dict[str, Any]:
    """Amounts are JSON numbers in major units."""
    return {
        "id": ids.short(ids.PROCESSING_PAYMENT, payment.id),
        "object": "payment",
        "amount": number(Money(payment.amount, payment.currency)),
        "currency": payment.currency,
        "description": payment.description,
        "customer_email": payment.customer_email,
        "payment_method": payment.payment_method,
        "metadata": payment.payment_metadata or {},
        "status": payment.status,
        "created_at": iso(payment.created_at),
        "updated_at": iso(payment.updated_at),
        "idempotency_key": payment.idempotency_key or None,
        "failure_reason": _failure(payment.provider_failure, payment.failure_code),
        "refunded_amount": number(Money(payment.refunded, payment.currency)),
        "livemode": LIVEMODE,
    }


def status_view(payment: Payment) -> dict[str, Any]:
    shown = payment_view(payment)
    return {name: shown[name] for name in ("id", "status", "failure_reason", "updated_at")}


def refund_view(refund: Refund) -> dict[str, Any]:
    """`status` is processing, completed or failed."""
    return {
        "id": ids.short(ids.PROCESSING_REFUND, refund.id),
        "object": "refund",
        "payment_id": ids.short(ids.PROCESSING_PAYMENT, refund.payment_id),
        "amount": number(Money(refund.amount, refund.currency)),
        "reason": refund.reason,
        "status": "processing" if refund.state in OPEN_REFUNDS else refund.state,
        "created_at": iso(refund.created_at),
        "updated_at": iso(refund.updated_at),
        "failure_reason": _failure(refund.provider_failure, refund.failure_code),
    }


def created(result: Initialized) -> Answer:
    """402 with the whole payment where the provider refused it, or was not reached."""
    is_failed = result.payment.status == PaymentStatus.FAILED
    return Answer(payment_view(result.payment), _PAYMENT_REFUSED if is_failed else 201)


def refunded(result: Refunded) -> Answer:
    return Answer(refund_view(result.refund), _PAYMENT_REFUSED if result.is_failed else 201)


def payment_list(page: Page[Payment], request: PageRequest) -> dict[str, Any]:
    total = page.total or 0
    return {
        "object": "list",
        "data": [payment_view(payment) for payment in page.items],
        "pagination": {
            "page": request.offset // request.limit + 1,
            "per_page": request.limit,
            "total": total,
            "total_pages": max(1, -(-total // request.limit)),
            "has_more": page.has_next,
        },
    }


def _failure(provider_failure: Mapping[str, Any] | None, failure_code: str | None) -> str | None:
    """The provider's own word, which is the document's; where there is none, the gateway's."""
    return (provider_failure or {}).get("code") or failure_code
