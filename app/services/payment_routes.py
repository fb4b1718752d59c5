"""Which provider a payment goes to: the one asked for, or for `auto` the best that can take it."""

from __future__ import annotations

import uuid

import phonenumbers
from flask import current_app

from app.errors import GatewayError, InvalidRequest
from app.money import Money
from app.providers.base import Customer
from app.providers.errors import ProviderError
from app.services import provider_accounts, provider_health, routing
from app.services.provider_accounts import BoundProvider

AUTO = "auto"


def route(tenant_id: uuid.UUID, provider: str, amount: Money, customer: Customer) -> list[BoundProvider]:
    """The provider to ask, and those to go on with when nothing happened there, in order; never empty.

    Raises InvalidRequest or InvalidAmount, with a sentence for the caller, when none can take it.
    """
    if provider != AUTO:
        bound = provider_accounts.for_tenant(tenant_id, provider)
        _check(bound, amount, customer)
        return [bound]
    found = provider_accounts.available(tenant_id)
    names = routing.candidates(
        amount=amount, country=_country(customer.phone), available=list(found),
        capabilities={name: bound.provider.capabilities for name, bound in found.items()},
        health=provider_health.is_healthy, costs=current_app.config["ROUTING_COSTS"],
    )  # fmt: skip
    fitting = [found[name] for name in names if _fits(found[name], amount, customer)]
    if not fitting:
        raise InvalidRequest(f"No configured provider takes {amount} {amount.currency}.", field="provider")
    return fitting


def _check(bound: BoundProvider, amount: Money, customer: Customer) -> None:
    try:
        bound.provider.check(amount, customer)
    except ProviderError as error:
        field = {"currency": "currency", "phone": "customer", "email": "customer"}.get(error.code)
        raise InvalidRequest(error.message, field=field) from error


def _fits(bound: BoundProvider, amount: Money, customer: Customer) -> bool:
    try:
        _check(bound, amount, customer)
    except GatewayError:
        return False
    return True


def _country(phone: str | None) -> str | None:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone or "", None))
    except phonenumbers.NumberParseException:
        return None
