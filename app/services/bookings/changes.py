"""Make and cancel a booking.

Guarantees: no night of a listing is booked twice (nights.py); the price is computed here; a booking is cancelled only while it is
not paid, and a payment of it that is alive is ended at its provider before.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from flask import current_app
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import NotCancellable, ProviderUnreachable
from app.events import outbox
from app.events.catalogue import EventType
from app.models.booking import Booking, Listing
from app.models.customer import Customer
from app.models.order import OrderStatus
from app.models.tenant import Tenant
from app.money import Money
from app.principal import Principal
from app.services import payment_service
from app.services.bookings import nights, travellers
from app.services.bookings.bookings import BookingState, get_booking, read_booking
from app.services.bookings.errors import BookingNotCancellable, BookingNotPossible, ListingNotFound
from app.services.orders import orders
from app.services.orders.orders import Item, OrderRequest
from app.unit_of_work import transaction

MAX_NIGHTS: Final = 365
"""Of one booking."""

MAX_TRIES: Final = 5
"""Times that a booking's payment changes while it is being cancelled."""


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """user_id: a customer of the site; None: the traveller with this e-mail address."""

    listing_id: uuid.UUID
    check_in: date
    check_out: date
    guests: int
    user_id: uuid.UUID | None = None
    email: str | None = None


def create_booking(request: BookingRequest, *, address: str | None) -> BookingState:
    """address: the client's. Raises ListingNotFound, BookingNotPossible, NightsTaken, InvalidAmount."""
    # Random: whoever has a booking's id may read, pay and cancel it.
    booking_id, now = ids.opaque(), clock.now()

    def work(session: Session) -> BookingState:
        listing = _bookable(session, request)
        actor = Principal.of_traveller(listing.tenant_id, address)
        booking = Booking(
            id=booking_id,
            tenant_id=listing.tenant_id,
            listing_id=listing.id,
            check_in=request.check_in,
            check_out=request.check_out,
            guests=request.guests,
            held_until=now + timedelta(seconds=current_app.config["BOOKING_HOLD_S"]),
            created_at=now,
        )
        nights.keep(session, booking, now=now)
        traveller = _traveller(session, actor, request, now)
        store_booking(session, booking, listing, traveller, actor=actor, now=now)
        return read_booking(session, booking_id)

    return transaction(work)


def store_booking(
    session: Session,
    booking: Booking,
    listing: Listing,
    traveller: Customer,
    *,
    actor: Principal,
    now: datetime,
) -> None:
    """Insert a booking that keeps its nights, and its order, in the caller's transaction. Raises InvalidAmount."""
    count = len(nights.nights_of(booking.check_in, booking.check_out))
    price = Money(listing.price_per_night, listing.currency)
    total = Money.parse(str(Money(price.amount_minor * count, price.currency)), price.currency)
    order = OrderRequest(
        customer_id=traveller.id,
        amount=str(total),
        items=[Item(listing.title, count, str(price))],
        description=f"Payment for {listing.title}",
    )
    orders.store_order(session, booking.tenant_id, booking.id, order, total, actor=actor, now=now)
    session.add(booking)
    facts = {
        "listing_id": str(listing.id),
        "check_in": booking.check_in.isoformat(),
        "check_out": booking.check_out.isoformat(),
        "guests": booking.guests,
        "amount_minor": total.amount_minor,
        "currency": total.currency,
    }
    outbox.record(
        session,
        EventType.BOOKING_CREATED,
        object_id=str(booking.id),
        data=facts,
        now=now,
        actor=actor,
        tenant_id=booking.tenant_id,
        is_public=False,
    )


def cancel_booking(booking_id: uuid.UUID, *, address: str | None) -> None:
    """Nothing happens where it is cancelled. Raises BookingNotFound, BookingNotCancellable."""
    for _ in range(MAX_TRIES):
        state = get_booking(booking_id)
        actor = Principal.of_traveller(state.booking.tenant_id, address)
        if state.order_state.status is OrderStatus.PROCESSING and state.payment is not None:
            _end_payment(actor, state.payment.id)
        if _cancel_unpaid(booking_id, actor):
            return
    raise BookingNotCancellable("A payment of the booking is under way")


def _end_payment(actor: Principal, payment_id: uuid.UUID) -> None:
    """Raises BookingNotCancellable."""
    try:
        payment_service.cancel(actor, payment_id)
    except (NotCancellable, ProviderUnreachable) as error:
        raise BookingNotCancellable(
            "A payment of the booking is under way", details={"reason": error.message}
        ) from error


def _cancel_unpaid(booking_id: uuid.UUID, actor: Principal) -> bool:
    """False: a payment of it has begun meanwhile. Raises BookingNotCancellable."""
    now = clock.now()

    def work(session: Session) -> bool:
        state = orders.locked_order(session, actor.tenant_id, booking_id)
        booking = session.get_one(Booking, booking_id)
        if state.status is OrderStatus.PROCESSING:
            return False
        if state.status is OrderStatus.PAID:
            raise BookingNotCancellable
        if state.status is OrderStatus.OPEN:
            orders.end_order(session, state, now=now, actor=actor)
        if booking.released_at is None:
            nights.release(session, booking, now=now, actor=actor)
        return True

    return transaction(work)


def _bookable(session: Session, request: BookingRequest) -> Listing:
    """Raises ListingNotFound, BookingNotPossible."""
    listing = session.get(Listing, request.listing_id)
    if listing is None or listing.withdrawn_at is not None:
        raise ListingNotFound
    if not session.get_one(Tenant, listing.tenant_id).is_active:
        raise BookingNotPossible("This site takes no bookings at present")
    if request.check_out <= request.check_in:
        raise BookingNotPossible("check_out_date must be after check_in_date", field="check_out_date")
    if (request.check_out - request.check_in).days > MAX_NIGHTS:
        raise BookingNotPossible(f"A booking has at most {MAX_NIGHTS} nights", field="check_out_date")
    if request.guests > listing.max_guests:
        raise BookingNotPossible(
            f"This listing takes at most {listing.max_guests} guests", field="number_of_guests"
        )
    return listing


def _traveller(session: Session, actor: Principal, request: BookingRequest, now: datetime) -> Customer:
    if request.user_id is not None:
        return travellers.by_id(session, actor.tenant_id, request.user_id)
    if request.email is not None:
        return travellers.by_email(session, actor, request.email, now=now)
    raise BookingNotPossible("user_id or email is required", field="email")
