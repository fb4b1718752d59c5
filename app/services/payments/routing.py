"""Which providers to try, in order, when a merchant leaves the choice to the gateway (provider `auto`).

A provider is a candidate when it supports the currency and the amount, and can reach the customer. Candidates are
ordered: healthy ones first, then those of the customer's country, then the cheapest.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import phonenumbers
from flask import current_app

from app.errors import GatewayError, InvalidRequest
from app.money import Money, exponent_of
from app.providers.base import Capabilities, Customer
from app.providers.errors import ProviderError
from app.services import reference_data
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access import health as provider_health
from app.services.provider_access.accounts import BoundProvider


class CustomerDetailMissing(InvalidRequest):
    """A detail of the customer that the provider needs is missing, or is none that it takes. detail: `phone` or `email`."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message, details={"fields": {"customer": {detail: [message]}}})
        self.detail = detail


CostTable = Mapping[str, tuple[int, int]]
"""currency (`*`: any other) → (parts per million of the amount, fixed minor units of the currency)."""


def candidates(
    *,
    amount: Money,
    country: str | None,
    available: Sequence[str],
    capabilities: Mapping[str, Capabilities],
    health: Callable[[str], bool],
    costs: Mapping[str, CostTable] = MappingProxyType({}),
) -> list[str]:
    """Those of `available` that support the payment, the best first, unhealthy ones last.

    country: ISO 3166 of the customer's phone; None: unknown. `costs` go before the adapters' own. An empty list: none can.
    """
    real = [name for name in available if capabilities[name].moves_real_money] or list(available)
    able = [name for name in real if _can(capabilities[name], amount, country)]

    def rank(name: str) -> tuple[bool, bool, float, int]:
        return (
            not health(name),
            not _is_at_home(capabilities[name], country),
            cost(amount, costs.get(name, {}), capabilities[name].costs),
            available.index(name),
        )

    return sorted(able, key=rank)


def cost(amount: Money, *tables: CostTable) -> float:
    """What a provider is expected to charge, in minor units, by the first table that knows the currency; infinite where
    none does."""
    for table in tables:
        pair = table.get(amount.currency) or table.get("*")
        if pair is not None:
            rate_ppm, fixed = pair
            return fixed + amount.amount_minor * rate_ppm / 1_000_000
    return math.inf


def _can(capabilities: Capabilities, amount: Money, country: str | None) -> bool:
    limits = capabilities.currencies.get(amount.currency)
    if limits is None or amount.amount_minor < limits.minimum:
        return False
    if limits.maximum is not None and amount.amount_minor > limits.maximum:
        return False
    if capabilities.whole_units and amount.amount_minor % 10 ** exponent_of(amount.currency):
        return False
    # A provider that charges a phone cannot charge a phone of another country; cards and e-mails work anywhere.
    is_foreign = (
        country is not None and bool(capabilities.countries) and country not in capabilities.countries
    )
    return not (is_foreign and "phone" in capabilities.needs)


def _is_at_home(capabilities: Capabilities, country: str | None) -> bool:
    return country is not None and country in capabilities.countries


AUTO = "auto"

DETAILS: Final = MappingProxyType({"phone": "phone", "email": "email", "phone_or_email": "phone"})
"""Code of an adapter's refusal → the detail of the customer that is missing, or is not what the provider takes."""


def route(tenant_id: uuid.UUID, provider: str, amount: Money, customer: Customer) -> list[BoundProvider]:
    """The provider to call, and those to fail over to, in order; never empty.

    Raises InvalidRequest or InvalidAmount, with a sentence for the caller, when none can take it.
    """
    if provider != AUTO:
        bound = provider_accounts.for_tenant(tenant_id, provider)
        _check(bound, amount, customer)
        return [bound]
    found = provider_accounts.available(tenant_id, reference_data.current())
    names = candidates(
        amount=amount,
        country=_country(customer.phone),
        available=list(found),
        capabilities={name: bound.provider.capabilities for name, bound in found.items()},
        health=provider_health.is_healthy,
        costs=current_app.config["ROUTING_COSTS"],
    )
    refusals = {name: _refusal(found[name], amount, customer) for name in names}
    fitting = [found[name] for name, refusal in refusals.items() if refusal is None]
    if fitting:
        return fitting
    sentence = f"No configured provider takes {amount} {amount.currency}."
    # The best candidate's: with what it lacks, the payment would be possible.
    lacking = next((one for one in refusals.values() if isinstance(one, CustomerDetailMissing)), None)
    if lacking is not None:
        raise CustomerDetailMissing(f"{sentence} {lacking.message}", lacking.detail)
    raise InvalidRequest(sentence, field="provider")


def _check(bound: BoundProvider, amount: Money, customer: Customer) -> None:
    try:
        bound.provider.check(amount, customer)
    except ProviderError as error:
        if (detail := DETAILS.get(error.code)) is not None:
            raise CustomerDetailMissing(error.message, detail) from error
        raise InvalidRequest(error.message, field="currency" if error.code == "currency" else None) from error


def _refusal(bound: BoundProvider, amount: Money, customer: Customer) -> GatewayError | None:
    try:
        _check(bound, amount, customer)
    except GatewayError as error:
        return error
    return None


def _country(phone: str | None) -> str | None:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone or "", None))
    except phonenumbers.NumberParseException:
        return None
