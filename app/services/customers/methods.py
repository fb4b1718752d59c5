"""A customer's saved payment methods.

Guarantees: a customer with methods has exactly one default; the customer's row is locked while they change, so two changes at
once come one after the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest
from app.events import outbox
from app.events.catalogue import EventType
from app.models.customer import Customer, PaymentMethod
from app.principal import EventActor, Principal
from app.providers import PROVIDERS
from app.services.customers import customers, preferences
from app.services.customers.masking import masked_details
from app.services.customers.preferences import Preferences, saved
from app.unit_of_work import reading, transaction

MAX_METHODS: Final = 20
"""Of one customer."""

MAX_METHOD_ID: Final = 300
"""Characters of a method's id in a path, and of what an error repeats of it."""


def find(
    tenant_id: uuid.UUID, customer_id: uuid.UUID, method_id: str, *, session: Session | None = None
) -> PaymentMethod:
    """A method of the tenant's customer. Raises CustomerNotFound, InvalidRequest (the method)."""
    if session is None:
        with reading() as own:
            return find(tenant_id, customer_id, method_id, session=own)
    return _method(session, customers.find(tenant_id, customer_id, session=session), method_id)


def save(
    actor: Principal,
    customer_id: uuid.UUID,
    provider: str | None,
    details: Mapping[str, object],
    *,
    set_as_default: bool = False,
) -> Preferences:
    """Save a method, the one with the same id in its place. The first one is the default.

    Raises CustomerNotFound, InvalidRequest: the provider, the details, or MAX_METHODS.
    """

    def act(session: Session, customer: Customer, available: list[str]) -> None:
        name = preferences.require_configured(provider, available)
        kept = PROVIDERS[name].read_method(details)
        store(session, customer, name, kept, set_as_default=set_as_default, actor=actor)

    return _changed(actor, customer_id, act)


def remove(actor: Principal, customer_id: uuid.UUID, method_id: str) -> Preferences:
    """Where it was the default, the first that remains is. Raises CustomerNotFound, InvalidRequest."""

    def act(session: Session, customer: Customer, available: list[str]) -> None:
        method = _method(session, customer, method_id)
        session.delete(method)
        session.flush()
        remaining = saved(session, customer.id)
        promoted = remaining[0] if method.is_default and remaining else None
        if promoted is not None:
            promoted.is_default = True
        facts = {"new_default": None if promoted is None else str(promoted.id)}
        _record(session, EventType.PAYMENT_METHOD_REMOVED, method, actor, facts)

    return _changed(actor, customer_id, act)


def set_default(actor: Principal, customer_id: uuid.UUID, method_id: str) -> Preferences:
    """Raises CustomerNotFound, InvalidRequest."""

    def act(session: Session, customer: Customer, available: list[str]) -> None:
        method = _method(session, customer, method_id)
        if not method.is_default:
            _make_default(session, method)
            _record(session, EventType.PAYMENT_METHOD_DEFAULT_CHANGED, method, actor)

    return _changed(actor, customer_id, act)


def store(
    session: Session,
    customer: Customer,
    provider: str,
    details: Mapping[str, str],
    *,
    set_as_default: bool,
    actor: EventActor,
) -> None:
    """The same of a customer that is locked. details: as the adapter read them. Raises InvalidRequest: MAX_METHODS."""
    method_id = PROVIDERS[provider].method_id(details)
    wanted = select(PaymentMethod).where(
        PaymentMethod.customer_id == customer.id, PaymentMethod.method_id == method_id
    )
    method = session.scalars(wanted).one_or_none()
    is_replaced = method is not None
    if method is None:
        count = _count(session, customer.id)
        if count >= MAX_METHODS:
            raise InvalidRequest(f"A customer can have at most {MAX_METHODS} payment methods")
        method = PaymentMethod(
            id=ids.uuid7(),
            tenant_id=customer.tenant_id,
            customer_id=customer.id,
            method_id=method_id,
            provider=provider,
            is_default=count == 0,
        )
        session.add(method)
    method.details, method.saved_at = dict(details), clock.now()
    session.flush()
    if set_as_default and not method.is_default:
        _make_default(session, method)
    _record(session, EventType.PAYMENT_METHOD_SAVED, method, actor, {"is_replaced": is_replaced})


def _changed(
    actor: Principal, customer_id: uuid.UUID, act: Callable[[Session, Customer, list[str]], None]
) -> Preferences:
    available = list(preferences.configured(actor.tenant_id))

    def work(session: Session) -> Preferences:
        customer = customers.locked(session, actor.tenant_id, customer_id)
        act(session, customer, available)
        return preferences.of(session, customer, available)

    return transaction(work)


def _method(session: Session, customer: Customer, method_id: str) -> PaymentMethod:
    wanted = select(PaymentMethod).where(
        PaymentMethod.tenant_id == customer.tenant_id,
        PaymentMethod.customer_id == customer.id,
        PaymentMethod.method_id == method_id,
    )
    method = session.scalars(wanted).one_or_none() if method_id.isprintable() else None
    if method is None:
        raise InvalidRequest(f"Payment method {method_id[:MAX_METHOD_ID]} not found")
    return method


def _count(session: Session, customer_id: uuid.UUID) -> int:
    wanted = select(func.count()).where(PaymentMethod.customer_id == customer_id)
    return session.scalars(wanted).one()


def _make_default(session: Session, method: PaymentMethod) -> None:
    """In two statements: at no moment has the customer two defaults (the index payment_methods_default)."""
    for other in saved(session, method.customer_id):
        other.is_default = False
    session.flush()
    method.is_default = True
    session.flush()


def _record(
    session: Session,
    event_type: EventType,
    method: PaymentMethod,
    actor: EventActor,
    more: Mapping[str, object] | None = None,
) -> None:
    """An event of the customer, after its row was locked."""
    facts = {
        "payment_method": str(method.id),
        "provider": method.provider,
        "details": dict(masked_details(method.details)),
        "is_default": method.is_default,
    }
    outbox.record(
        session,
        event_type,
        object_id=str(method.customer_id),
        data=facts | dict(more or {}),
        now=clock.now(),
        actor=actor,
        tenant_id=method.tenant_id,
        is_public=False,
    )
