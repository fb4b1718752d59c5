"""The nights that bookings keep, and who gets those that an unpaid booking has kept for too long.

Guarantees: a night of a listing is one booking's, whatever happens at once (the primary key of reserved_nights); a booking whose
order has a payment that is alive or has collected keeps its nights.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.events import outbox
from app.events.catalogue import EventType
from app.models.booking import Booking, ReservedNight
from app.models.order import OrderStatus
from app.principal import SYSTEM, Principal
from app.services.bookings.errors import NightsTaken
from app.services.orders import orders
from app.services.orders.orders import OrderState


def nights_of(check_in: date, check_out: date) -> list[date]:
    """In order: the night of the day of departure is not one of them."""
    return [check_in + timedelta(days=day) for day in range((check_out - check_in).days)]


def keep(session: Session, booking: Booking, *, now: datetime) -> None:
    """Keep the booking's nights, also those of bookings that need not keep theirs any more. Raises NightsTaken."""
    nights = nights_of(booking.check_in, booking.check_out)
    if not _insert(session, booking, nights):
        return
    for other_id in _keepers(session, booking, nights):
        _release_if_unpaid(session, booking.tenant_id, other_id, now=now)
    if _insert(session, booking, nights):
        raise NightsTaken


def release(session: Session, booking: Booking, *, now: datetime, actor: Principal) -> None:
    """Release the booking's nights for good. Its order is locked."""
    booking.released_at = now
    session.execute(delete(ReservedNight).where(ReservedNight.booking_id == booking.id))
    outbox.record(
        session,
        EventType.BOOKING_CANCELLED,
        object_id=str(booking.id),
        data={"listing_id": str(booking.listing_id)},
        now=now,
        actor=actor,
        tenant_id=booking.tenant_id,
        is_public=False,
    )


def _insert(session: Session, booking: Booking, nights: Sequence[date]) -> bool:
    """Insert those nights that are free, in order, so that two bookings never wait for each other. Whether others are taken."""
    rows = [{"listing_id": booking.listing_id, "night": night, "booking_id": booking.id} for night in nights]
    session.execute(insert(ReservedNight).values(rows).on_conflict_do_nothing())
    own = select(ReservedNight.night).where(ReservedNight.booking_id == booking.id)
    return len(session.scalars(own).all()) < len(nights)


def _keepers(session: Session, booking: Booking, nights: Sequence[date]) -> Sequence[uuid.UUID]:
    """The other bookings that keep some of the nights."""
    wanted = select(ReservedNight.booking_id).where(
        ReservedNight.listing_id == booking.listing_id,
        ReservedNight.night.in_(nights),
        ReservedNight.booking_id != booking.id,
    )
    return session.scalars(wanted.distinct().order_by(ReservedNight.booking_id)).all()


def _release_if_unpaid(
    session: Session, tenant_id: uuid.UUID, booking_id: uuid.UUID, *, now: datetime
) -> None:
    """Release the nights of a booking whose order is cancelled or refunded, or that was not paid in time."""
    state = orders.locked_order(session, tenant_id, booking_id)
    booking = session.get_one(Booking, booking_id, populate_existing=True)
    if booking.released_at is not None or not _is_over(booking, state, now):
        return
    if state.status is OrderStatus.OPEN:
        orders.end_order(session, state, now=now, actor=SYSTEM)
    release(session, booking, now=now, actor=SYSTEM)


def _is_over(booking: Booking, state: OrderState, now: datetime) -> bool:
    if state.status is OrderStatus.OPEN:
        return booking.held_until is not None and booking.held_until < now
    return state.status in (OrderStatus.CANCELLED, OrderStatus.REFUNDED)
