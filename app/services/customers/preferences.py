"""How a customer prefers to pay, and what a checkout can offer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.errors import GatewayError, InvalidAmount, InvalidRequest
from app.events import outbox
from app.events.catalogue import EventType
from app.models.customer import Customer, PaymentMethod
from app.models.tenant import Tenant
from app.money import Money, number_of
from app.principal import Principal
from app.providers import PROVIDERS
from app.providers.errors import ProviderError
from app.services.customers import customers
from app.services.provider_access import accounts as provider_accounts
from app.services.provider_access.accounts import BoundProvider
from app.unit_of_work import reading, transaction

SAVING_PROVIDERS: Final = tuple(
    sorted(name for name, adapter in PROVIDERS.items() if adapter.saved_method is not None)
)
"""Those where customers can save how they pay, in the order of every list."""

_MOST_SHOWN: Final = 64
"""Characters of a wrong name that an error repeats."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """preferred_provider: the chosen one, else the default method's, else None. methods: the first saved first.
    available: the providers the tenant has configured, by name."""

    preferred_provider: str | None
    methods: Sequence[PaymentMethod]
    available: Sequence[str]


@dataclass(frozen=True, slots=True)
class CheckoutOptions:
    """What can take `amount`. preferred_provider: None when it cannot. preferred_method: of the preferred provider. methods: those
    of available providers."""

    amount: Money
    preferred_provider: str | None
    preferred_method: PaymentMethod | None
    methods: Sequence[PaymentMethod]
    available: Sequence[str]


def read(tenant_id: uuid.UUID, customer_id: uuid.UUID) -> Preferences:
    """Raises CustomerNotFound."""
    available = list(configured(tenant_id))
    with reading() as session:
        return of(session, customers.find(tenant_id, customer_id, session=session), available)


def of(session: Session, customer: Customer, available: Sequence[str]) -> Preferences:
    methods = saved(session, customer.id)
    return Preferences(customer.preferred_provider or _default_provider(methods), methods, available)


def set_preferred_provider(actor: Principal, customer_id: uuid.UUID, provider: str | None) -> Preferences:
    """Raises CustomerNotFound, InvalidRequest: no provider, none that customers can save, or none of the tenant's."""
    available = list(configured(actor.tenant_id))

    def work(session: Session) -> Preferences:
        customer = customers.locked(session, actor.tenant_id, customer_id)
        wanted, before = require_configured(provider, available), customer.preferred_provider
        if wanted != before:
            customer.preferred_provider, customer.updated_at = wanted, clock.now()
            outbox.record(
                session,
                EventType.CUSTOMER_PREFERENCE_CHANGED,
                object_id=str(customer_id),
                data={"preferred_provider": wanted, "before": before},
                now=customer.updated_at,
                actor=actor,
                tenant_id=customer.tenant_id,
                is_public=False,
            )
        return of(session, customer, available)

    return transaction(work)


def options(
    tenant_id: uuid.UUID, customer_id: uuid.UUID, amount: object, currency: str | None = None
) -> CheckoutOptions:
    """What a checkout of this amount (major units) can offer the customer. currency: None for the tenant's.

    Raises CustomerNotFound, InvalidAmount, UnsupportedCurrency.
    """
    bound = configured(tenant_id)
    with reading() as session:
        customer = customers.find(tenant_id, customer_id, session=session)
        money = _money(amount, currency or session.get_one(Tenant, tenant_id).currency)
        able = [name for name, one in bound.items() if _takes(one, money)]
        found = of(session, customer, able)
    methods = [method for method in found.methods if method.provider in able]
    preferred = found.preferred_provider if found.preferred_provider in able else None
    return CheckoutOptions(money, preferred, _first_choice(methods, preferred), methods, able)


def configured(tenant_id: uuid.UUID) -> Mapping[str, BoundProvider]:
    """The providers that the tenant can use and whose methods can be saved, by name."""
    found = provider_accounts.available(tenant_id)
    return {name: found[name] for name in SAVING_PROVIDERS if name in found}


def require_configured(provider: str | None, available: Sequence[str]) -> str:
    """The provider's name. Raises InvalidRequest."""
    if not provider:
        raise InvalidRequest("provider is required", field="provider")
    if provider not in SAVING_PROVIDERS:
        shown = provider[:_MOST_SHOWN]
        known = ", ".join(f"'{name}'" for name in SAVING_PROVIDERS)
        raise InvalidRequest(f"Invalid provider: {shown}. Must be one of [{known}]", field="provider")
    if provider not in available:
        raise InvalidRequest(f"Provider {provider} is not configured for this tenant", field="provider")
    return provider


def saved(session: Session, customer_id: uuid.UUID) -> list[PaymentMethod]:
    """The customer's methods, the first saved first."""
    wanted = select(PaymentMethod).where(PaymentMethod.customer_id == customer_id)
    return list(session.scalars(wanted.order_by(PaymentMethod.saved_at, PaymentMethod.id)))


def _default_provider(methods: Sequence[PaymentMethod]) -> str | None:
    return next((method.provider for method in methods if method.is_default), None)


def _first_choice(methods: Sequence[PaymentMethod], provider: str | None) -> PaymentMethod | None:
    """The provider's default method, else the one saved last."""
    own = [method for method in methods if method.provider == provider]
    return next((method for method in own if method.is_default), own[-1] if own else None)


def _money(amount: object, currency: str) -> Money:
    number = number_of(amount)
    if isinstance(number, Decimal) and number <= 0:
        raise InvalidAmount("Amount must be greater than 0", field="amount")
    try:
        return Money.parse(amount, currency)
    except InvalidAmount as error:
        raise InvalidAmount("Invalid amount parameter", field="amount") from error


def _takes(bound: BoundProvider, amount: Money) -> bool:
    try:
        bound.provider.check_amount(amount)
    except (ProviderError, GatewayError):
        return False
    return True
