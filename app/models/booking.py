"""Listings, and bookings of their nights by travellers (document 004)."""

from __future__ import annotations

import datetime
import uuid
from enum import StrEnum

from sqlalchemy import CHAR, CheckConstraint, Date, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Base
from app.models.types import Key, Minor, Moment, Words


class BookingStatus(StrEnum):
    """Where a booking stands. It is stored nowhere: its order and `released_at` say so (services/bookings/bookings.py)."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class Listing(Base):
    """What a booking site, a tenant, lets by the night. withdrawn_at: it is listed and booked no more from then on; bookings
    that were made before stay."""

    __tablename__ = "listings"
    __table_args__ = (
        CheckConstraint("price_per_night > 0"),
        CheckConstraint("max_guests > 0"),
        Index("listings_created_at_id", "created_at", "id", postgresql_where="withdrawn_at IS NULL"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    title: Mapped[Words]
    description: Mapped[Words | None]
    location: Mapped[Words]
    price_per_night: Mapped[Minor]
    currency: Mapped[str] = mapped_column(CHAR(3))
    max_guests: Mapped[int]
    created_at: Mapped[Moment]
    updated_at: Mapped[Moment]
    withdrawn_at: Mapped[Moment | None]


class Booking(Base):
    """A stay from check_in to check_out, the day of departure. Its id is that of the order that it is paid by.

    held_until: an unpaid booking keeps its nights until then, afterwards until another traveller wants them; None: without end.
    released_at: when it released its nights. verified_at: when the answer that its payment is completed was given for the first time.
    """

    __tablename__ = "bookings"
    __table_args__ = (
        CheckConstraint("check_out > check_in"),
        CheckConstraint("guests > 0"),
        Index("bookings_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
    )

    id: Mapped[Key]
    tenant_id: Mapped[uuid.UUID]
    listing_id: Mapped[uuid.UUID]
    check_in: Mapped[datetime.date] = mapped_column(Date)
    check_out: Mapped[datetime.date] = mapped_column(Date)
    guests: Mapped[int]
    held_until: Mapped[Moment | None]
    released_at: Mapped[Moment | None]
    verified_at: Mapped[Moment | None]
    created_at: Mapped[Moment]


class ReservedNight(Base):
    """A night of a listing that a booking keeps. The primary key is what makes a double booking impossible."""

    __tablename__ = "reserved_nights"
    __table_args__ = (Index("reserved_nights_booking_id", "booking_id"),)

    listing_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    night: Mapped[datetime.date] = mapped_column(Date, primary_key=True)
    booking_id: Mapped[uuid.UUID]
