"""Travellers: a booking site's customers by e-mail address. An address that is not known makes a guest.

Guarantees: an address is one traveller of a site, however many bookings name it at once; a customer that the site has made by
itself is never found by an address, so that no booking reveals that customer's name.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import ids
from app.errors import CustomerNotFound
from app.models.customer import Customer
from app.principal import Principal
from app.services.bookings.errors import BookingNotPossible
from app.services.customers import customers
from app.services.identity import emails

_REFERENCE: Final = "traveller:"
"""Begins the reference of a customer who is known by an address."""


def reference_of(email: str) -> str:
    """What a traveller with this address has as a customer's reference. Raises InvalidRequest: it is no address."""
    return _REFERENCE + emails.normal(email)


def by_id(session: Session, tenant_id: uuid.UUID, user_id: uuid.UUID) -> Customer:
    """Raises BookingNotPossible: the site has no such customer, or it has no e-mail address."""
    try:
        found = customers.find(tenant_id, user_id, session=session)
    except CustomerNotFound:
        raise BookingNotPossible("User not found", field="user_id") from None
    if found.email is None:
        raise BookingNotPossible("This user has no e-mail address", field="user_id")
    return found


def by_email(session: Session, actor: Principal, email: str, *, now: datetime) -> Customer:
    """The traveller with this address; a new one is called by what stands before the @."""
    address = emails.normal(email)
    values = {
        "id": ids.opaque(),
        "tenant_id": actor.tenant_id,
        "name": address.partition("@")[0],
        "email": address,
        "reference": reference_of(address),
        "created_at": now,
        "updated_at": now,
    }
    made = session.scalars(insert(Customer).values(values).on_conflict_do_nothing().returning(Customer))
    if (guest := made.one_or_none()) is not None:
        customers.record_created(session, guest, actor, now=now)
        return guest
    wanted = select(Customer).where(
        Customer.tenant_id == actor.tenant_id, Customer.reference == reference_of(address)
    )
    return session.scalars(wanted).one()
