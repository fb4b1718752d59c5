"""Bookings as they stand, read with what belongs to them.

A booking is an order for a stay: both have one id, and its payments are the order's (services/orders). Guarantees: a booking's
status is what its order and its nights say at that moment; a booking site's list has its own bookings only.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session

from app.models.booking import Booking, BookingStatus, Listing
from app.models.customer import Customer
from app.models.order import Order, OrderStatus
from app.models.payment import Payment
from app.money import Money
from app.principal import Principal
from app.services import list_totals
from app.services.bookings.errors import BookingNotFound
from app.services.orders.orders import ENDED, OrderState
from app.services.pages import Page, PageRequest
from app.unit_of_work import reading

STATUS_OF: Final = MappingProxyType(
    {
        OrderStatus.OPEN: BookingStatus.PENDING,
        OrderStatus.PROCESSING: BookingStatus.PENDING,
        OrderStatus.PAID: BookingStatus.CONFIRMED,
        OrderStatus.REFUNDED: BookingStatus.CANCELLED,
        OrderStatus.CANCELLED: BookingStatus.CANCELLED,
    }
)
"""What a booking's order makes of it while it keeps its nights."""


@dataclass(frozen=True, slots=True)
class BookingState:
    """traveller: who booked. payment: the one that has not ended, else where it was read the latest one."""

    booking: Booking
    listing: Listing
    traveller: Customer
    order_state: OrderState

    @property
    def status(self) -> BookingStatus:
        if self.booking.released_at is not None:
            return BookingStatus.CANCELLED
        return STATUS_OF[self.order_state.status]

    @property
    def payment(self) -> Payment | None:
        return self.order_state.payment

    @property
    def total_price(self) -> Money:
        return self.order_state.amount


def get_booking(booking_id: uuid.UUID) -> BookingState:
    """With its payment. Whoever has the id may read it. Raises BookingNotFound."""
    with reading() as session:
        return read_booking(session, booking_id)


def read_booking(session: Session, booking_id: uuid.UUID) -> BookingState:
    """As get_booking, in the caller's session."""
    row = session.execute(_with_parties().where(Booking.id == booking_id)).one_or_none()
    if row is None:
        raise BookingNotFound
    booking, listing, traveller, order = row
    payments = select(Payment).where(Payment.order_id == booking_id)
    latest = payments.order_by(Payment.status.in_(ENDED), Payment.id.desc()).limit(1)
    return BookingState(booking, listing, traveller, OrderState(order, session.scalars(latest).first()))


def list_bookings(site: Principal, request: PageRequest) -> Page[BookingState]:
    """The site's bookings, newest first."""
    wanted = _with_parties().where(Booking.tenant_id == site.tenant_id)
    wanted = wanted.add_columns(Payment).outerjoin(
        Payment, and_(Payment.order_id == Booking.id, Payment.status.not_in(ENDED))
    )
    wanted = wanted.order_by(Booking.created_at.desc(), Booking.id.desc())
    counted = select(Booking.id).where(Booking.tenant_id == site.tenant_id)
    with reading() as session:
        rows: Sequence[Any] = session.execute(wanted.limit(request.limit + 1).offset(request.offset)).all()
        total = list_totals.total(session, counted, key=("bookings", site.tenant_id))
    states = [
        BookingState(booking, listing, traveller, OrderState(order, payment))
        for booking, listing, traveller, order, payment in rows
    ]
    return Page.cut(states, limit=request.limit, total=total)


def _with_parties() -> Select[Booking, Listing, Customer, Order]:
    wanted = select(Booking, Listing, Customer, Order).join(Listing, Listing.id == Booking.listing_id)
    wanted = wanted.join(Order, Order.id == Booking.id)
    return wanted.join(Customer, Customer.id == Order.customer_id)
