"""Customers, their preferences and saved methods, as the Tenant API shows them."""

from __future__ import annotations

from typing import Any

from app.clock import iso_z
from app.models.customer import Customer, PaymentMethod
from app.services.customers.preferences import CheckoutOptions, Preferences


def customer_view(customer: Customer) -> dict[str, Any]:
    return {
        "id": str(customer.id),
        "name": customer.name,
        "email": customer.email,
        "phone": customer.phone,
        "reference": customer.reference,
        "created_at": iso_z(customer.created_at),
    }


def method_view(method: PaymentMethod) -> dict[str, Any]:
    return {
        "id": method.method_id,
        "provider": method.provider,
        "details": method.details,
        "saved_at": iso_z(method.saved_at),
        "is_default": method.is_default,
    }


def preferences_view(preferences: Preferences) -> dict[str, Any]:
    return {
        "preferred_provider": preferences.preferred_provider,
        "saved_methods": [method_view(method) for method in preferences.methods],
        "available_providers": list(preferences.available),
    }


def checkout_view(options: CheckoutOptions) -> dict[str, Any]:
    preferred = options.preferred_method
    return {
        "preferred_provider": options.preferred_provider,
        "preferred_method": None if preferred is None else method_view(preferred),
        "available_providers": list(options.available),
        "saved_methods": [method_view(method) for method in options.methods],
        "can_change_provider": len(options.available) > 1,
        "amount": options.amount.as_number(),
        "currency": options.amount.currency,
    }
