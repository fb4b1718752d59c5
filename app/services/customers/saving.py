"""Saves what a payment was paid with for its order's customer, once the payment is completed (job `payment.save_method`).

The provider is asked then, whoever reported that the payment is paid: what can charge again is in no answer that is kept with the
payment, and in no event.
"""

from __future__ import annotations

import uuid

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import CustomerNotFound, InvalidRequest
from app.models.order import Order
from app.models.payment import Payment, SaveMethod
from app.principal import SYSTEM
from app.providers.base import Customer, Provider
from app.services.customers import customers, methods
from app.services.payments import rows as payment_rows
from app.services.payments.attempts import charge_reference
from app.services.provider_access import accounts as provider_accounts
from app.unit_of_work import transaction

log = structlog.get_logger("payments")


def save_paid_with(payment_id: uuid.UUID) -> None:
    """Safe to run twice: the same method takes its own place. Raises ProviderError, ProviderNotConfigured: try again later."""
    rows = payment_rows.read(payment_id)
    payment, attempt = rows.payment, rows.collecting_attempt
    if attempt is None or payment.order_id is None or payment.save_method is None:
        return
    provider = provider_accounts.of_attempt(attempt)
    payer = Customer(payment.customer_phone, payment.customer_email, payment.customer_name)
    found = provider.method_paid_with(charge_reference(payment, attempt, provider), payer)
    if found is None:
        log.info("payment.method_not_reusable", payment=str(payment_id), provider=provider.name)
        return
    try:
        details = provider.read_method(found)
        transaction(lambda session: _save(session, payment, provider, details))
    except (InvalidRequest, CustomerNotFound) as error:
        # It will not be another time: the customer has as many as a customer can have, or a detail is of no known form.
        log.warning("payment.method_not_saved", payment=str(payment_id), code=error.code)


def _save(session: Session, payment: Payment, provider: Provider, details: dict[str, str]) -> None:
    wanted = select(Order.customer_id).where(
        Order.id == payment.order_id, Order.tenant_id == payment.tenant_id
    )
    customer_id = session.scalars(wanted).one_or_none()
    if customer_id is None:
        raise CustomerNotFound
    customer = customers.locked(session, payment.tenant_id, customer_id)
    methods.store(
        session,
        customer,
        provider.name,
        details,
        set_as_default=payment.save_method is SaveMethod.SAVE_AS_DEFAULT,
        actor=SYSTEM,
    )
