"""Bookings: made by everyone; read and cancelled by whoever has the id; listed by their site."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, request

from app.api.bookings.blueprint import Blueprint
from app.api.bookings.schemas.bookings import Booking, BookingPage, BookingRequest
from app.api.bookings.schemas.listings import BookingListQuery
from app.api.bookings.views import booking_view, page_request, page_view
from app.errors import InvalidAmount, NotFound
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.bookings import bookings, changes
from app.services.bookings.errors import (
    BookingNotCancellable,
    BookingNotFound,
    BookingNotPossible,
    ListingNotFound,
    NightsTaken,
)

blueprint = Blueprint("bookings", __name__, description="Bookings.")


@blueprint.route("/bookings/")
@operation("bookings_list", errors=[NotFound])
@blueprint.arguments(BookingListQuery, location="query")
@blueprint.response(200, BookingPage)
def list_bookings(query: dict[str, Any]) -> Response:
    """Bookings of the API key's tenant, newest first."""
    page = bookings.list_bookings(current_principal(), page_request(query["page"]))
    return respond(page_view(page, query["page"], booking_view))


@blueprint.route("/bookings/", methods=["POST"])
@operation("bookings_create", errors=[ListingNotFound, BookingNotPossible, NightsTaken, InvalidAmount])
@blueprint.arguments(BookingRequest)
@blueprint.response(201, Booking)
def create_booking(body: dict[str, Any]) -> Response:
    """Book a listing's nights from the day of arrival to the day of departure. Keep `booking_id` secret: whoever has it may read,
    pay and cancel the booking. An unpaid booking keeps its nights for a while (BOOKING_HOLD_S)."""
    wanted = changes.BookingRequest(
        listing_id=body["listing_id"],
        check_in=body["check_in_date"],
        check_out=body["check_out_date"],
        guests=body["number_of_guests"],
        user_id=body.get("user_id"),
        email=body.get("email"),
    )
    return respond(booking_view(changes.create_booking(wanted, address=request.remote_addr)), 201)


@blueprint.route("/bookings/<uuid:booking_id>/")
@operation("bookings_get", errors=[BookingNotFound])
@blueprint.response(200, Booking)
def get_booking(booking_id: uuid.UUID) -> Response:
    """A booking, with its payment's status as the gateway knows it; the provider is not asked."""
    return respond(booking_view(bookings.get_booking(booking_id)))


@blueprint.route("/bookings/<uuid:booking_id>/", methods=["DELETE"])
@operation("bookings_cancel", errors=[BookingNotFound, BookingNotCancellable])
@blueprint.response(204)
def cancel_booking(booking_id: uuid.UUID) -> Response:
    """Cancel a booking that is not paid. A payment of it that waits for the traveller is cancelled at the provider before."""
    changes.cancel_booking(booking_id, address=request.remote_addr)
    return Response(status=204)
