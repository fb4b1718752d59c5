"""Customers and how they prefer to pay (`/customers…`)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response
from marshmallow import ValidationError

from app.api.tenant.schemas.customers import (
    CheckoutAnswer,
    CheckoutQuery,
    CustomerBody,
    CustomerFacts,
    CustomerList,
    CustomerQuery,
    MethodBody,
    PreferencesAnswer,
    PreferencesChanged,
    ProviderBody,
)
from app.api.tenant.views_customers import checkout_view, customer_view, preferences_view
from app.errors import CustomerExists, CustomerNotFound, InvalidAmount, InvalidRequest, UnsupportedCurrency
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.pagination import next_cursor, page_request
from app.http.payment_fields import e164
from app.http.responses import respond
from app.services.customers import customers, methods, preferences
from app.services.customers.customers import CustomerRequest
from app.services.customers.preferences import Preferences
from app.services.tenants import tenants

blueprint = Blueprint("customers", __name__, description="Customers, their preferences and saved methods.")


@blueprint.route("/customers", methods=["POST"])
@operation("customers_create", errors=[CustomerExists])
@blueprint.arguments(CustomerBody)
@blueprint.response(201, CustomerFacts)
def create_customer(body: dict[str, Any]) -> Response:
    """Add a customer, under an id of your choice or a new one."""
    actor, given = current_principal(), body["id"]
    request = CustomerRequest(
        id=None if given is None else uuid.UUID(given),
        name=body["name"],
        email=body["email"],
        phone=_phone(actor.tenant_id, body["phone"]),
        reference=body["reference"],
    )
    return respond(customer_view(customers.create(actor, request)), 201)


@blueprint.route("/customers")
@operation("customers_list")
@blueprint.arguments(CustomerQuery, location="query")
@blueprint.response(200, CustomerList)
def list_customers(query: dict[str, Any]) -> Response:
    """Your customers, newest first. Follow `next_cursor` for older ones."""
    page = customers.page(current_principal().tenant_id, page_request(query))
    results = [customer_view(customer) for customer in page.items]
    cursor = next_cursor(page, lambda customer: customer.id)
    return respond({"count": len(results), "results": results, "next_cursor": cursor})


@blueprint.route("/customers/<uuid:customer_id>")
@operation("customers_get", errors=[CustomerNotFound])
@blueprint.response(200, CustomerFacts)
def get_customer(customer_id: uuid.UUID) -> Response:
    """A customer."""
    return respond(customer_view(customers.find(current_principal().tenant_id, customer_id)))


@blueprint.route("/customers/<uuid:customer_id>/payment-preferences")
@operation("customers_get_preferences", errors=[CustomerNotFound])
@blueprint.response(200, PreferencesAnswer)
def get_preferences(customer_id: uuid.UUID) -> Response:
    """How the customer prefers to pay, and the methods it has saved."""
    return respond(preferences_view(preferences.read(current_principal().tenant_id, customer_id)))


@blueprint.route("/customers/<uuid:customer_id>/checkout-options")
@operation("customers_get_checkout_options", errors=[CustomerNotFound, InvalidAmount, UnsupportedCurrency])
@blueprint.arguments(CheckoutQuery, location="query")
@blueprint.response(200, CheckoutAnswer)
def get_checkout_options(query: dict[str, Any], customer_id: uuid.UUID) -> Response:
    """What the customer can pay an amount with."""
    tenant_id = current_principal().tenant_id
    found = preferences.options(tenant_id, customer_id, query["amount"], query.get("currency"))
    return respond(checkout_view(found))


@blueprint.route("/customers/<uuid:customer_id>/preferred-provider", methods=["PUT"])
@operation("customers_set_preferred_provider", errors=[CustomerNotFound])
@blueprint.arguments(ProviderBody)
@blueprint.response(200, PreferencesChanged)
def set_preferred_provider(body: dict[str, Any], customer_id: uuid.UUID) -> Response:
    """Choose the customer's preferred provider. Saved methods and the default stay as they are."""
    changed = preferences.set_preferred_provider(current_principal(), customer_id, body["provider"])
    return _changed("Preferred provider updated successfully", changed)


@blueprint.route("/customers/<uuid:customer_id>/payment-methods", methods=["POST"])
@operation("payment_methods_save", errors=[CustomerNotFound])
@blueprint.arguments(MethodBody)
@blueprint.response(201, PreferencesChanged)
def save_method(body: dict[str, Any], customer_id: uuid.UUID) -> Response:
    """Save a method, the one with the same id in its place. The first one is the default."""
    changed = methods.save(
        current_principal(),
        customer_id,
        body["provider"],
        body["details"],
        set_as_default=body["set_as_default"],
    )
    return _changed("Payment method saved successfully", changed, 201)


@blueprint.route("/customers/<uuid:customer_id>/payment-methods/<method_id>", methods=["DELETE"])
@operation("payment_methods_remove", errors=[CustomerNotFound])
@blueprint.response(200, PreferencesChanged)
def remove_method(customer_id: uuid.UUID, method_id: str) -> Response:
    """Remove a method. Where it was the default, the first that remains is."""
    changed = methods.remove(current_principal(), customer_id, method_id)
    return _changed("Payment method removed successfully", changed)


@blueprint.route("/customers/<uuid:customer_id>/payment-methods/<method_id>/default", methods=["PUT"])
@operation("payment_methods_set_default", errors=[CustomerNotFound])
@blueprint.response(200, PreferencesChanged)
def set_default_method(customer_id: uuid.UUID, method_id: str) -> Response:
    """Make a method the customer's only default."""
    changed = methods.set_default(current_principal(), customer_id, method_id)
    return _changed("Default payment method updated successfully", changed)


def _changed(message: str, changed: Preferences, status: int = 200) -> Response:
    return respond({"message": message, "preferences": preferences_view(changed)}, status)


def _phone(tenant_id: uuid.UUID, phone: str | None) -> str | None:
    """E.164; a national number is of the country of the tenant's currency. Raises InvalidRequest."""
    if phone is None:
        return None
    try:
        return e164(phone, tenants.currency_of(tenant_id))
    except ValidationError as error:
        raise InvalidRequest(f"phone: {error.messages[0]}", field="phone") from error
