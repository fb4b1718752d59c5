"""The error body of the Booking API."""

from __future__ import annotations

from marshmallow import fields as ma

from app.http.answers import Answer, one_of


class BookingError(Answer):
    """An error of the Booking API."""

    optional = frozenset({"details"})

    status = one_of("error")
    message = ma.String(metadata={"examples": ["booking_id is required"]})
    details = ma.String(metadata={"description": "For engineers."})
