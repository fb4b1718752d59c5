"""A tenant's customers: who pays its orders.

Guarantees: every query takes the tenant; another tenant's customer looks like one that does not exist.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import CustomerExists, CustomerNotFound, InvalidRequest
from app.events import outbox
from app.events.catalogue import EventType
from app.models.customer import Customer
from app.principal import Principal
from app.services.pages import Page, PageRequest
from app.unit_of_work import reading, transaction


@dataclass(frozen=True, slots=True)
class CustomerRequest:
    """id: None for a new one. phone: E.164. reference: the tenant's own id of the customer."""

    id: uuid.UUID | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    reference: str | None = None


def create(actor: Principal, request: CustomerRequest) -> Customer:
    """Raises CustomerExists: the id or the reference is taken, and nothing changed."""

    def work(session: Session) -> Customer:
        now = clock.now()
        values = {
            "id": request.id or ids.uuid7(),
            "tenant_id": actor.tenant_id,
            "name": request.name,
            "email": request.email,
            "phone": request.phone,
            "reference": request.reference,
            "created_at": now,
            "updated_at": now,
        }
        made = session.scalars(
            insert(Customer).values(values).on_conflict_do_nothing().returning(Customer)
        ).one_or_none()
        if made is None:
            raise CustomerExists
        record_created(session, made, actor, now=now)
        return made

    return transaction(work)


def record_created(session: Session, customer: Customer, actor: Principal, *, now: datetime) -> None:
    """The event of a customer that the caller's transaction has inserted."""
    outbox.record(
        session,
        EventType.CUSTOMER_CREATED,
        object_id=str(customer.id),
        data={},
        now=now,
        actor=actor,
        tenant_id=customer.tenant_id,
        is_public=False,
    )


def find(tenant_id: uuid.UUID, customer_id: uuid.UUID, *, session: Session | None = None) -> Customer:
    """The tenant's customer. Raises CustomerNotFound."""
    wanted = select(Customer).where(Customer.tenant_id == tenant_id, Customer.id == customer_id)
    if session is not None:
        return _found(session.scalars(wanted).one_or_none())
    with reading() as own:
        return _found(own.scalars(wanted).one_or_none())


def locked(session: Session, tenant_id: uuid.UUID, customer_id: uuid.UUID) -> Customer:
    """The same, so that no other transaction changes the customer or its payment methods meanwhile. Raises CustomerNotFound."""
    wanted = select(Customer).where(Customer.tenant_id == tenant_id, Customer.id == customer_id)
    return _found(session.scalars(wanted.with_for_update(key_share=True)).one_or_none())


def page(tenant_id: uuid.UUID, request: PageRequest) -> Page[Customer]:
    """The tenant's customers, newest first. Raises InvalidRequest: the cursor names none of them."""
    wanted = select(Customer).where(Customer.tenant_id == tenant_id)
    position = tuple_(Customer.created_at, Customer.id)
    with reading() as session:
        if request.after is not None:
            last = session.scalars(wanted.where(Customer.id == request.after)).one_or_none()
            if last is None:
                raise InvalidRequest("This cursor is not from this list.", field="cursor")
            wanted = wanted.where(position < (last.created_at, last.id))
        rows = session.scalars(
            wanted.order_by(Customer.created_at.desc(), Customer.id.desc()).limit(request.limit + 1)
        ).all()
    return Page.cut(rows, limit=request.limit)


def _found(customer: Customer | None) -> Customer:
    if customer is None:
        raise CustomerNotFound
    return customer
