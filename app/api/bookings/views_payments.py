"""Presenters of payments of bookings: the bodies of document 004."""

from __future__ import annotations

from datetime import UTC
from types import MappingProxyType
from typing import Any, Final, assert_never

from app.http.numbers import number
from app.models.payment import Payment, PaymentStatus
from app.money import Money
from app.services.bookings.bookings import BookingState
from app.services.bookings.errors import InitiationFailed
from app.services.bookings.verifying import Verdict, Verification
from app.services.idempotency_service import Answer
from app.services.payment_service import Initialized

STATUS_OF: Final = MappingProxyType(
    {
        PaymentStatus.PENDING: "pending",
        PaymentStatus.PROCESSING: "pending",
        PaymentStatus.COMPLETED: "completed",
        PaymentStatus.PARTIALLY_REFUNDED: "completed",
        PaymentStatus.REFUNDED: "refunded",
        PaymentStatus.REVERSED: "refunded",
        PaymentStatus.FAILED: "failed",
        PaymentStatus.CANCELLED: "cancelled",
    }
)
"""The document's words; it knows no refunds, so `refunded` is the gateway's."""

STATUSES: Final = tuple(dict.fromkeys(STATUS_OF.values()))


def initiated(result: Initialized) -> Answer:
    """201; 200: it was initiated before; 400: the provider refused it, or was not reached."""
    payment = result.payment
    if payment.status is PaymentStatus.FAILED:
        body = {"status": "error", "message": InitiationFailed.default_message, "details": _reason(payment)}
        return Answer(body, status=400)
    data = {
        "checkout_url": payment.payment_url,
        "payment_id": str(payment.id),
        "transaction_reference": payment.reference,
    }
    message = "Payment initiated successfully" if result.is_new else "Payment already initiated"
    return Answer(_success(message, data), status=201 if result.is_new else 200)


def verified(found: Verification) -> Answer:
    """400: the payment has failed or was cancelled."""
    match found.verdict:
        case Verdict.COMPLETED:
            return Answer(_success("Payment verified and completed successfully", _confirmation(found)))
        case Verdict.KNOWN:
            return Answer(_success("Payment already verified", _known(found)))
        case Verdict.PENDING:
            data = _ids(found) | {"payment_status": "pending"}
            return Answer(_success("Payment is pending", data))
        case Verdict.FAILED:
            data = {"payment_id": str(found.payment.id), "payment_status": STATUS_OF[found.payment.status]}
            body = {"status": "error", "message": "Payment failed or was cancelled", "data": data}
            return Answer(body, status=400)
        case _:
            assert_never(found.verdict)


def _success(message: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "message": message, "data": data}


def _reason(payment: Payment) -> str:
    """The provider's own sentence, where its answer had one."""
    answered = (payment.provider_failure or {}).get("message")
    return answered or payment.failure_reason or "The payment failed."


def _ids(found: Verification) -> dict[str, Any]:
    return {"payment_id": str(found.payment.id), "booking_id": str(found.booking.booking.id)}


def _known(found: Verification) -> dict[str, Any]:
    payment = found.payment
    return _ids(found) | {
        "payment_status": STATUS_OF[payment.status],
        "amount": str(Money(payment.amount, payment.currency)),
        "transaction_id": found.receipt,
    }


def _confirmation(found: Verification) -> dict[str, Any]:
    payment, traveller = found.payment, found.booking.traveller
    paid_at = payment.completed_at or payment.updated_at
    return _ids(found) | {
        "transaction_id": found.receipt,
        "amount": number(Money(payment.amount, payment.currency)),
        "currency": payment.currency,
        "payment_status": STATUS_OF[payment.status],
        "payment_method": (payment.provider_response or {}).get("method") or payment.provider,
        "payment_date": paid_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "booking_status": found.booking.status,
        "booking_details": _details(found.booking),
        "customer": {"name": traveller.name, "email": traveller.email},
    }


def _details(state: BookingState) -> dict[str, Any]:
    return {
        "property": state.listing.title,
        "location": state.listing.location,
        "check_in": state.booking.check_in.isoformat(),
        "check_out": state.booking.check_out.isoformat(),
        "guests": state.booking.guests,
        "total_price": number(state.total_price),
    }
