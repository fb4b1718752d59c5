"""Which provider an order is paid through, and with which saved method of its customer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select

from app.errors import InvalidRequest, NotFound
from app.models.customer import Customer, PaymentMethod
from app.money import Money
from app.providers import NAMES
from app.providers import base as providers
from app.services.payments.routing import AUTO, route
from app.unit_of_work import reading


@dataclass(frozen=True, slots=True)
class Choice:
    """provider: a name, or `auto`. method: the saved one that is charged; None: the customer is asked."""

    provider: str
    method: PaymentMethod | None = None


def find_customer(tenant_id: uuid.UUID, customer_id: uuid.UUID) -> Customer:
    """Raises NotFound."""
    with reading() as session:
        customer = session.get(Customer, customer_id)
    if customer is None or customer.tenant_id != tenant_id:
        raise NotFound
    return customer


def choose(customer: Customer, amount: Money, *, provider: str | None, method_id: str | None) -> Choice:
    """The named method, else the named provider, else what the customer prefers and can pay this amount with, else `auto`.

    Raises InvalidRequest: there is no such method, or it is of another provider.
    """
    if method_id is not None:
        method = _method(customer, method_id)
        if provider is not None and NAMES.get(provider) is not NAMES.get(method.provider):
            raise InvalidRequest(
                f"Payment method {method_id} is not of provider {provider}", field="method_id"
            )
        return Choice(method.provider, method)
    if provider is not None:
        return Choice(provider)
    preferred = _preferred(customer, amount)
    if preferred is not None:
        return Choice(preferred.provider, preferred)
    wanted = customer.preferred_provider
    return Choice(wanted if wanted is not None and _takes(customer, wanted, amount) else AUTO)


def _method(customer: Customer, method_id: str) -> PaymentMethod:
    wanted = select(PaymentMethod).where(
        PaymentMethod.customer_id == customer.id, PaymentMethod.method_id == method_id
    )
    with reading() as session:
        method = session.scalars(wanted).one_or_none()
    if method is None:
        raise InvalidRequest(f"Payment method {method_id} not found", field="method_id")
    return method


def _preferred(customer: Customer, amount: Money) -> PaymentMethod | None:
    """The preferred provider's method, its default or latest one, else the default."""
    wanted = select(PaymentMethod).where(PaymentMethod.customer_id == customer.id)
    with reading() as session:
        methods = session.scalars(
            wanted.order_by(PaymentMethod.is_default.desc(), PaymentMethod.saved_at.desc())
        ).all()
    of_provider = [method for method in methods if method.provider == customer.preferred_provider]
    for method in [*of_provider, *(method for method in methods if method.is_default)]:
        if _takes(customer, method.provider, amount):
            return method
    return None


def _takes(customer: Customer, provider: str, amount: Money) -> bool:
    """Whether the tenant has the provider, and it could be asked for this amount."""
    payer = providers.Customer(customer.phone, customer.email, customer.name)
    try:
        route(customer.tenant_id, provider, amount, payer)
    except InvalidRequest:
        return False
    return True
