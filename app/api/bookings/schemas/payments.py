"""Bodies and answers of payments of bookings, as document 004 has them."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Answer, one_of
from app.http.payment_fields import Email, Phone, PrintedText
from app.http.schema import Schema
from app.models.booking import BookingStatus


class BookingPaymentRequest(Schema):
    examples: ClassVar = {
        "document 004": {
            "booking_id": "f367ddf9-f2ff-4de2-b929-0e0942ace93b",
            "email": "customer@example.com",
            "first_name": "John",
            "last_name": "Doe",
            "phone_number": "0911234567",
        }
    }

    booking_id = fields.Text(required=True)
    email = Email(metadata={"description": "Who pays and gets the confirmation. Default: who booked."})
    first_name = PrintedText(max_length=100)
    last_name = PrintedText(max_length=100)
    phone_number = Phone()


class VerifyQuery(Schema):
    tx_ref = fields.Text(min_length=0, metadata={"description": "`transaction_reference` of the initiation."})
    trx_ref = fields.Text(min_length=0, metadata={"description": "The provider's older name of it."})
    status = fields.Text(
        min_length=0, metadata={"description": "What the provider adds. Not believed: the provider is asked."}
    )


class InitiatedData(Answer):
    checkout_url = ma.String(metadata={"format": "uri"})
    payment_id = ma.UUID()
    transaction_reference = ma.String(metadata={"examples": ["tx-a1b2c3d4e5f6-f367ddf9-f2ff-4de2"]})


class Initiated(Answer):
    """Send the traveller to `checkout_url`."""

    status = one_of("success")
    message = one_of("Payment initiated successfully", "Payment already initiated")
    data = ma.Nested(InitiatedData)


class BookingDetails(Answer):
    property = ma.String()
    location = ma.String()
    check_in = ma.String(metadata={"format": "date"})
    check_out = ma.String(metadata={"format": "date"})
    guests = ma.Integer()
    total_price = ma.Float()


class BookingCustomer(Answer):
    name = ma.String(allow_none=True)
    email = ma.String(allow_none=True)


class VerifiedData(Answer):
    """The first verification after the payment was completed has all fields, and `amount` as a number. Every later one has those up to
    `transaction_id`, and `amount` as a text. While it is pending there are the first three. `refunded` is the gateway's own word."""

    optional = frozenset(
        {
            "amount",
            "transaction_id",
            "currency",
            "payment_method",
            "payment_date",
            "booking_status",
            "booking_details",
            "customer",
        }
    )

    payment_id = ma.UUID()
    booking_id = ma.UUID()
    payment_status = one_of("pending", "completed", "refunded")
    amount = ma.Raw(metadata={"type": ["number", "string"], "examples": [2304.0, "2304.00"]})
    transaction_id = ma.String(metadata={"examples": ["AP6jnheVKQEm"]})
    currency = ma.String(metadata={"examples": ["ETB"]})
    payment_method = ma.String(metadata={"examples": ["card"]})
    payment_date = ma.String(metadata={"examples": ["2025-11-13T21:12:56.838672+00:00"]})
    booking_status = one_of(*BookingStatus)
    booking_details = ma.Nested(BookingDetails)
    customer = ma.Nested(BookingCustomer)


class Verified(Answer):
    """What became of the payment."""

    status = one_of("success")
    message = one_of(
        "Payment verified and completed successfully", "Payment already verified", "Payment is pending"
    )
    data = ma.Nested(VerifiedData)
