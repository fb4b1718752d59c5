"""Presenters of listings and bookings. Amounts are texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import current_app, request

from app.api.bookings.views_payments import STATUS_OF
from app.clock import iso_z
from app.errors import NotFound
from app.models.booking import Listing
from app.money import Money
from app.services.bookings.bookings import BookingState
from app.services.pages import Page, PageRequest

T = TypeVar("T")

PAGE_SIZE: Final = 10


def page_request(number: int) -> PageRequest:
    return PageRequest(PAGE_SIZE, (number - 1) * PAGE_SIZE)


def page_view(page: Page[T], number: int, view: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """Raises NotFound: the list has no such page."""
    if number > 1 and not page.items:
        raise NotFound("Invalid page.")
    address = f"{current_app.config['PUBLIC_URL']}{request.path}?page="
    return {
        "count": page.total,
        "next": f"{address}{number + 1}" if page.has_next else None,
        "previous": f"{address}{number - 1}" if number > 1 else None,
        "results": [view(item) for item in page.items],
    }


def listing_view(listing: Listing) -> dict[str, Any]:
    return {
        "listing_id": str(listing.id),
        "title": listing.title,
        "description": listing.description,
        "location": listing.location,
        "price_per_night": str(Money(listing.price_per_night, listing.currency)),
        "currency": listing.currency,
        "max_guests": listing.max_guests,
        "created_at": iso_z(listing.created_at),
        "updated_at": iso_z(listing.updated_at),
    }


def booking_view(state: BookingState) -> dict[str, Any]:
    booking, payment = state.booking, state.payment
    return {
        "booking_id": str(booking.id),
        "listing_id": str(booking.listing_id),
        "user_id": str(state.traveller.id),
        "property": state.listing.title,
        "location": state.listing.location,
        "check_in_date": booking.check_in.isoformat(),
        "check_out_date": booking.check_out.isoformat(),
        "number_of_guests": booking.guests,
        "total_price": str(state.total_price),
        "currency": state.total_price.currency,
        "status": state.status,
        "payment_status": None if payment is None else STATUS_OF[payment.status],
        "created_at": iso_z(booking.created_at),
    }
