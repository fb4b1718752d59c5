"""Presenters of orders and of their payments."""

from __future__ import annotations

from typing import Any

from app.clock import iso_z
from app.http.numbers import number
from app.models.payment import Payment, PaymentStatus
from app.money import Money
from app.providers import NAMES
from app.services.idempotency_service import Answer
from app.services.orders.orders import OrderState
from app.services.payment_service import Initialized
from app.services.payments.states import FINAL_PAYMENTS


def order_view(state: OrderState) -> dict[str, Any]:
    """Without its payment, as lists show it."""
    order = state.order
    return {
        "id": str(order.id),
        "customer_id": str(order.customer_id),
        "amount": number(state.amount),
        "currency": order.currency,
        "status": state.status,
        "items": [_item_view(item, order.currency) for item in order.items or ()],
        "reference": order.reference,
        "description": order.description,
        "created_at": iso_z(order.created_at),
        "cancelled_at": iso_z(order.cancelled_at) if order.cancelled_at else None,
    }


def order_detail(state: OrderState) -> dict[str, Any]:
    payment = state.payment
    return order_view(state) | {"payment": None if payment is None else payment_view(payment)}


def created(state: OrderState) -> Answer:
    return Answer(order_detail(state), status=201)


def payment_view(payment: Payment) -> dict[str, Any]:
    """A payment of an order. Amounts are JSON numbers."""
    return {
        "id": str(payment.id),
        "order_id": str(payment.order_id),
        "status": payment.status,
        "provider": payment.provider,
        "amount": number(Money(payment.amount, payment.currency)),
        "currency": payment.currency,
        "refunded_amount": number(Money(payment.refunded, payment.currency)),
        # Only while the customer can still go there.
        "payment_url": None if payment.status in FINAL_PAYMENTS else payment.payment_url,
        "customer_id": payment.customer_id,
        "method_id": _method_id(payment),
        "failure": _failure(payment),
        "created_at": iso_z(payment.created_at),
        "updated_at": iso_z(payment.updated_at),
        "completed_at": iso_z(payment.completed_at) if payment.completed_at else None,
    }


def checked_out(result: Initialized) -> Answer:
    """201; 200: it was there before; 402: the provider refused; 502: it was not reached. It is failed then, and stored."""
    data = payment_view(result.payment)
    if result.payment.status != PaymentStatus.FAILED:
        return Answer(data, status=201 if result.is_new else 200)
    error = result.payment.failure_reason or "The payment failed."
    return Answer({"error": error, "details": {"payment": data}}, status=402 if result.was_reached else 502)


def _item_view(item: dict[str, Any], currency: str) -> dict[str, Any]:
    price = item.get("unit_price")
    return {
        "name": item["name"],
        "quantity": item["quantity"],
        "unit_price": None if price is None else number(Money(price, currency)),
        "sku": item.get("sku"),
    }


def _method_id(payment: Payment) -> str | None:
    details = payment.saved_details
    return None if details is None else NAMES[payment.provider].method_id(details)


def _failure(payment: Payment) -> dict[str, Any] | None:
    if payment.failure_code is None and payment.failure_reason is None:
        return None
    return {"code": payment.failure_code, "reason": payment.failure_reason}
