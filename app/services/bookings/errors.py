"""Why a booking cannot be made, paid, verified or cancelled. Each changes nothing. `details["reason"]`: the technical reason."""

from __future__ import annotations

from app.errors import GatewayError, InvalidRequest, NotFound
from app.providers import BOOKINGS, PROVIDERS

TITLE = PROVIDERS[BOOKINGS].title


class ListingNotFound(NotFound):
    """There is none with this id, or it was withdrawn."""

    code = "LISTING_NOT_FOUND"
    default_message = "Listing not found"


class BookingNotFound(NotFound):
    code = "BOOKING_NOT_FOUND"
    default_message = "Booking not found"


class BookingNotPossible(InvalidRequest):
    """The listing does not take such a stay."""

    code = "BOOKING_NOT_POSSIBLE"


class NightsTaken(GatewayError):
    code = "NIGHTS_TAKEN"
    default_message = "The listing is not available on these dates"


class BookingNotCancellable(GatewayError):
    code = "BOOKING_NOT_CANCELLABLE"
    default_message = "The booking is paid and can no longer be cancelled"


class BookingPaid(GatewayError):
    code = "BOOKING_PAID"
    default_message = "Payment already completed for this booking"


class BookingCancelled(GatewayError):
    code = "BOOKING_CANCELLED"
    default_message = "The booking is cancelled"


class InitiationFailed(GatewayError):
    code = "INITIATION_FAILED"
    default_message = f"Failed to initiate payment with {TITLE}"

    def __init__(self, reason: str) -> None:
        super().__init__(details={"reason": reason})


class VerificationFailed(GatewayError):
    code = "VERIFICATION_FAILED"
    default_message = f"Failed to verify payment with {TITLE}"

    def __init__(self, reason: str) -> None:
        super().__init__(details={"reason": reason})
