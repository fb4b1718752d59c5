"""Loads document 004's listing, its traveller and the booking that the document's commands pay."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Final

from sqlalchemy.orm import Session

from app import clock
from app.models.booking import Booking, Listing
from app.models.customer import Customer
from app.money import Money
from app.principal import SYSTEM
from app.services.bookings import nights
from app.services.bookings.changes import store_booking
from app.services.bookings.travellers import reference_of
from app.services.demo.objects import BOOKING_ID, LISTING_ID, NAMESPACE, TENANT_ID

EMAIL: Final = "customer@example.com"


def add_booking(session: Session) -> None:
    """Nothing else of the listing is booked. The booking keeps its nights without end, since it may be paid at any time."""
    now = clock.now()
    listing = Listing(
        id=LISTING_ID,
        tenant_id=TENANT_ID,
        title="Spacious Family Home in New York",
        location="Tokyo, Japan",
        price_per_night=Money.parse("384.00", "ETB").amount_minor,
        currency="ETB",
        max_guests=6,
        created_at=now,
        updated_at=now,
    )
    traveller = Customer(
        id=uuid.uuid5(NAMESPACE, "traveller"),
        tenant_id=TENANT_ID,
        name="john_doe",
        email=EMAIL,
        reference=reference_of(EMAIL),
        created_at=now,
        updated_at=now,
    )
    booking = Booking(
        id=BOOKING_ID,
        tenant_id=TENANT_ID,
        listing_id=LISTING_ID,
        check_in=date(2026, 1, 15),
        check_out=date(2026, 1, 21),
        guests=1,
        created_at=now,
    )
    session.add_all([listing, traveller])
    session.flush()
    nights.keep(session, booking, now=now)
    store_booking(session, booking, listing, traveller, actor=SYSTEM, now=now)
