"""Which provider an order is paid through, and with which saved method of its customer."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import InvalidRequest
from app.models.customer import Customer, PaymentMethod
from app.money import Money
from app.providers import NAMES
from app.services.customers import methods, preferences
from app.services.payments.routing import AUTO


@dataclass(frozen=True, slots=True)
class Choice:
    """provider: a name, or `auto`. method: the saved one that is charged; None: the customer is asked."""

    provider: str
    method: PaymentMethod | None = None


def choose(customer: Customer, amount: Money, *, provider: str | None, method_id: str | None) -> Choice:
    """The named method, else the named provider, else what the customer prefers and can pay this amount with, else `auto`.

    Raises InvalidRequest: there is no such method, or it is of another provider.
    """
    if method_id is not None:
        method = methods.find(customer.tenant_id, customer.id, method_id)
        if provider is not None and NAMES.get(provider) is not NAMES.get(method.provider):
            raise InvalidRequest(
                f"Payment method {method_id} is not of provider {provider}", field="method_id"
            )
        return Choice(method.provider, method)
    if provider is not None:
        return Choice(provider)
    found = preferences.options(customer.tenant_id, customer.id, str(amount), amount.currency)
    if found.preferred_method is not None:
        return Choice(found.preferred_method.provider, found.preferred_method)
    return Choice(found.preferred_provider or AUTO)
