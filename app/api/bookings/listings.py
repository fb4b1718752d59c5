"""Listings: read by everyone, changed by their site."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app.api.bookings.blueprint import Blueprint
from app.api.bookings.schemas.listings import (
    BookingListQuery,
    Listing,
    ListingChanges,
    ListingPage,
    ListingRequest,
)
from app.api.bookings.views import listing_view, page_request, page_view
from app.errors import InvalidAmount, NotFound, UnsupportedCurrency
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.services.bookings import listings
from app.services.bookings.errors import ListingNotFound

blueprint = Blueprint("listings", __name__, description="Listings.")


@blueprint.route("/listings/")
@operation("listings_list", errors=[NotFound])
@blueprint.arguments(BookingListQuery, location="query")
@blueprint.response(200, ListingPage)
def list_listings(query: dict[str, Any]) -> Response:
    """Listings of every site, newest first."""
    page = listings.list_listings(page_request(query["page"]))
    return respond(page_view(page, query["page"], listing_view))


@blueprint.route("/listings/", methods=["POST"])
@operation("listings_create", errors=[InvalidAmount, UnsupportedCurrency])
@blueprint.arguments(ListingRequest)
@blueprint.response(201, Listing)
def create_listing(body: dict[str, Any]) -> Response:
    """Make a listing of the API key's tenant."""
    made = listings.create_listing(current_principal(), listings.ListingRequest(**body))
    return respond(listing_view(made), 201)


@blueprint.route("/listings/<uuid:listing_id>/")
@operation("listings_get", errors=[ListingNotFound])
@blueprint.response(200, Listing)
def get_listing(listing_id: uuid.UUID) -> Response:
    """A listing that is not withdrawn."""
    return respond(listing_view(listings.get_listing(listing_id)))


@blueprint.route("/listings/<uuid:listing_id>/", methods=["PUT"])
@operation("listings_replace", errors=[ListingNotFound, InvalidAmount, UnsupportedCurrency])
@blueprint.arguments(ListingRequest)
@blueprint.response(200, Listing)
def replace_listing(body: dict[str, Any], listing_id: uuid.UUID) -> Response:
    """Change all of a listing. Bookings keep their price."""
    changed = listings.change_listing(current_principal(), listing_id, {"description": None} | body)
    return respond(listing_view(changed))


@blueprint.route("/listings/<uuid:listing_id>/", methods=["PATCH"])
@operation("listings_change", errors=[ListingNotFound, InvalidAmount, UnsupportedCurrency])
@blueprint.arguments(ListingChanges)
@blueprint.response(200, Listing)
def change_listing(body: dict[str, Any], listing_id: uuid.UUID) -> Response:
    """Change a part of a listing. Bookings keep their price."""
    return respond(listing_view(listings.change_listing(current_principal(), listing_id, body)))


@blueprint.route("/listings/<uuid:listing_id>/", methods=["DELETE"])
@operation("listings_withdraw", errors=[ListingNotFound])
@blueprint.response(204)
def withdraw_listing(listing_id: uuid.UUID) -> Response:
    """Withdraw a listing: it takes no bookings any more. Those that were made stay."""
    listings.withdraw_listing(current_principal(), listing_id)
    return Response(status=204)
