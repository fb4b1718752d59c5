"""The error body of the Booking API."""

from __future__ import annotations

from marshmallow import fields as ma

from app.http.answers import Answer, one_of


class FailedPayment(Answer):
    """Of a verification that found that the payment was not paid."""

    payment_id = ma.UUID()
    payment_status = one_of("failed", "cancelled")


class BookingError(Answer):
    """An error of the Booking API. `data`: of a verification alone, where the payment failed or was cancelled."""

    optional = frozenset({"details", "data"})

    status = one_of("error")
    message = ma.String(metadata={"examples": ["booking_id is required"]})
    details = ma.String(metadata={"description": "For engineers."})
    data = ma.Nested(FailedPayment)
