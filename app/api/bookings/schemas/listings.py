"""Bodies and answers of listings."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Amount, Answer, Time
from app.http.payment_fields import PrintedText
from app.http.schema import Schema

MAX_TITLE: Final = 200
MAX_LOCATION: Final = 200
MAX_DESCRIPTION: Final = 2000
MAX_GUESTS: Final = 1000
MAX_PAGE: Final = 100_000


def _guests(**kwargs: Any) -> fields.WholeNumber:
    return fields.WholeNumber(minimum=1, maximum=MAX_GUESTS, **kwargs)


class ListingRequest(Schema):
    examples: ClassVar = {
        "a listing": {
            "title": "Spacious Family Home in New York",
            "location": "Tokyo, Japan",
            "price_per_night": "384.00",
            "currency": "ETB",
            "max_guests": 4,
        }
    }

    title = PrintedText(max_length=MAX_TITLE, required=True)
    location = PrintedText(max_length=MAX_LOCATION, required=True)
    price_per_night = fields.Amount(required=True)
    max_guests = _guests(required=True)
    currency = fields.Currency(metadata={"description": "Default: the site's."})
    description = PrintedText(max_length=MAX_DESCRIPTION)


class ListingChanges(Schema):
    examples: ClassVar = {"a price": {"price_per_night": "400.00"}}

    title = PrintedText(max_length=MAX_TITLE)
    location = PrintedText(max_length=MAX_LOCATION)
    price_per_night = fields.Amount()
    max_guests = _guests()
    currency = fields.Currency()
    description = PrintedText(max_length=MAX_DESCRIPTION)


class BookingListQuery(Schema):
    page = fields.QueryNumber(
        minimum=1, maximum=MAX_PAGE, load_default=1, metadata={"description": "Of ten."}
    )


class Listing(Answer):
    """What is let by the night."""

    listing_id = ma.UUID()
    title = ma.String()
    description = ma.String(allow_none=True)
    location = ma.String()
    price_per_night = Amount()
    currency = ma.String(metadata={"examples": ["ETB"]})
    max_guests = ma.Integer()
    created_at = Time()
    updated_at = Time()


class ListingPage(Answer):
    """Ten listings, newest first."""

    count = ma.Integer()
    next = ma.String(allow_none=True, metadata={"description": "The next page."})
    previous = ma.String(allow_none=True)
    results = ma.List(ma.Nested(Listing))
