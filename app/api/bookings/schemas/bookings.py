"""Bodies and answers of bookings."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields as ma

from app.api.bookings.schemas.fields import Day
from app.api.bookings.schemas.listings import MAX_GUESTS
from app.api.bookings.views_payments import STATUSES
from app.api.gateway.schemas.operations import Id
from app.http import fields
from app.http.answers import Amount, Answer, Time, one_of
from app.http.payment_fields import Email
from app.http.schema import Schema
from app.models.booking import BookingStatus


class BookingRequest(Schema):
    examples: ClassVar = {
        "a guest": {
            "listing_id": "0195f3a0-b1c2-7d8e-9f00-112233445566",
            "email": "guest@example.com",
            "check_in_date": "2027-03-01",
            "check_out_date": "2027-03-04",
            "number_of_guests": 2,
        }
    }

    listing_id = Id(required=True)
    check_in_date = Day(required=True)
    check_out_date = Day(required=True)
    number_of_guests = fields.WholeNumber(minimum=1, maximum=MAX_GUESTS, required=True)
    user_id = Id(metadata={"description": "A customer of the site. Without it: email."})
    email = Email(metadata={"description": "The traveller's. An address that is not known makes a guest."})
    total_price = ma.Raw(
        metadata={
            "description": "Ignored: the price is computed from the listing.",
            "type": ["number", "string"],
        }
    )


class Booking(Answer):
    """A stay."""

    booking_id = ma.UUID()
    listing_id = ma.UUID()
    user_id = ma.UUID()
    property = ma.String(metadata={"description": "The listing's title."})
    location = ma.String()
    check_in_date = ma.String(metadata={"format": "date"})
    check_out_date = ma.String(metadata={"format": "date"})
    number_of_guests = ma.Integer()
    total_price = Amount()
    currency = ma.String(metadata={"examples": ["ETB"]})
    status = one_of(*BookingStatus)
    payment_status = ma.String(allow_none=True, metadata={"enum": [*STATUSES, None]})
    created_at = Time()


class BookingPage(Answer):
    """Ten bookings, newest first."""

    count = ma.Integer()
    next = ma.String(allow_none=True, metadata={"description": "The next page."})
    previous = ma.String(allow_none=True)
    results = ma.List(ma.Nested(Booking))
