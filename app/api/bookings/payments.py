"""Payments of bookings (document 004, sections 1 to 3)."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, request
from marshmallow import ValidationError

from app.api.bookings.blueprint import Blueprint
from app.api.bookings.schemas.payments import BookingPaymentRequest, Initiated, Verified, VerifyQuery
from app.api.bookings.views_payments import initiated, verified
from app.errors import IdempotencyConflict, InvalidRequest, PaymentNotFound
from app.http.idempotency import without_key
from app.http.operation import operation
from app.http.payment_fields import e164
from app.http.responses import respond
from app.services.bookings import paying, verifying
from app.services.bookings.bookings import get_booking
from app.services.bookings.errors import (
    BookingCancelled,
    BookingNotFound,
    BookingPaid,
    InitiationFailed,
    VerificationFailed,
)

blueprint = Blueprint("booking_payments", __name__, description="Payments of bookings.")


@blueprint.route("/payments/initiate/", methods=["POST"])
@operation(
    "booking_payments_initiate",
    errors=[BookingNotFound, BookingPaid, BookingCancelled, InitiationFailed, IdempotencyConflict],
)
@blueprint.arguments(BookingPaymentRequest)
@blueprint.response(201, Initiated)
@blueprint.alt_response(200, schema=Initiated, description="The payment that is waiting already.")
def initiate(body: dict[str, Any]) -> Response:
    """Begin the payment of a booking. While one is waiting for its traveller, that one is answered."""
    booking_id = _booking_id(body["booking_id"])
    payer = paying.Payer(
        email=body.get("email"),
        name=" ".join(body[name] for name in ("first_name", "last_name") if name in body) or None,
        phone=_phone(booking_id, body["phone_number"]) if "phone_number" in body else None,
    )
    answer = paying.initiate(booking_id, payer, without_key(initiated), address=request.remote_addr)
    return respond(answer.body, answer.status)


@blueprint.route("/payments/verify/", methods=["GET", "POST"])
@operation("booking_payments_verify", errors=[PaymentNotFound, VerificationFailed])
@blueprint.arguments(VerifyQuery, location="query")
@blueprint.response(200, Verified)
def verify(query: dict[str, Any]) -> Response:
    """Ask the provider what became of a payment. The first answer after it was completed has the whole booking. 400 with `data`: it
    has failed or was cancelled."""
    reference = query.get("tx_ref") or query.get("trx_ref")
    if not reference:
        raise InvalidRequest("tx_ref is required", field="tx_ref")
    answer = verified(verifying.verify(reference, address=request.remote_addr))
    return respond(answer.body, answer.status)


def _booking_id(text: str) -> uuid.UUID:
    """Raises BookingNotFound: no booking has such an id."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        raise BookingNotFound from None
    if str(found) != text.lower():
        raise BookingNotFound
    return found


def _phone(booking_id: uuid.UUID, phone: str) -> str:
    """A national number is of the country of the booking's currency. Raises BookingNotFound, InvalidRequest."""
    try:
        return e164(phone, get_booking(booking_id).total_price.currency)
    except ValidationError as error:
        raise InvalidRequest(f"phone_number: {error.messages[0]}", field="phone_number") from error
