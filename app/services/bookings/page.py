"""What the page of a booking shows to its traveller. Whoever has the booking's id may read it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from app.models.booking import BookingStatus
from app.models.payment import MadeBy, Payment, PaymentAttempt, PaymentStatus
from app.models.payment_review import ReviewGroup
from app.services.bookings import verifying
from app.services.bookings.bookings import BookingState, read_booking
from app.services.payments.payer_status import PayerStatus, payer_status_of
from app.services.payments.read import latest_attempt
from app.unit_of_work import reading


class PageState(StrEnum):
    """Where a booking stands, as its traveller sees it. "Nothing was paid" is true of TO_PAY, FAILED and CANCELLED alone."""

    TO_PAY = "to_pay"
    AT_PROVIDER = "at_provider"
    """The provider's page waits for the traveller."""

    UNCLEAR = "unclear"
    """Whether it was paid is not known yet: the traveller must not pay again."""

    CHECKED = "checked"
    """Money has arrived that an operator must look at."""

    CONFIRMED = "confirmed"
    FAILED = "failed"
    """It can be paid again."""

    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class BookingPage:
    """receipt: the provider's id of the collected money."""

    state: PageState
    booking: BookingState
    receipt: str | None = None


def booking_page(booking_id: uuid.UUID) -> BookingPage:
    """As it is known here; the provider is not asked. Raises BookingNotFound."""
    with reading() as session:
        booking = read_booking(session, booking_id)
        payment = booking.payment
        attempt = None if payment is None else latest_attempt(session, payment.id)
    return BookingPage(_state(booking, attempt), booking, attempt.receipt if attempt else None)


def refresh(booking_id: uuid.UUID, *, address: str | None) -> None:
    """Ask the provider about the booking's payment, where it has one. Raises BookingNotFound, VerificationFailed."""
    with reading() as session:
        payment = read_booking(session, booking_id).payment
    if payment is not None:
        verifying.refresh(payment, address=address)


def _state(booking: BookingState, attempt: PaymentAttempt | None) -> PageState:
    payment = booking.payment
    if payment is None:
        is_over = booking.status is BookingStatus.CANCELLED
        return PageState.CANCELLED if is_over else PageState.TO_PAY
    match payer_status_of(payment):
        case PayerStatus.COMPLETED:
            # Money that an operator has accepted after the nights were another traveller's confirms nothing.
            is_kept = booking.status is BookingStatus.CONFIRMED
            return PageState.CONFIRMED if is_kept else PageState.CHECKED
        case PayerStatus.REFUNDED:
            return PageState.REFUNDED
        case PayerStatus.FAILED:
            is_over = booking.status is BookingStatus.CANCELLED
            return PageState.CANCELLED if is_over else PageState.FAILED
        case PayerStatus.OPEN:
            return _open_state(payment)
        case status:
            assert_never(status)


def _open_state(payment: Payment) -> PageState:
    if any(reason.group is ReviewGroup.UNMATCHED_MONEY for reason in payment.open_reviews):
        return PageState.CHECKED
    is_waiting = payment.status in (PaymentStatus.PENDING, PaymentStatus.PROCESSING)
    if is_waiting and payment.payment_url is None and payment.api is MadeBy.BOOKINGS:
        # Without the provider's page the traveller cannot have paid.
        return PageState.TO_PAY
    has_page = is_waiting and payment.payment_url is not None and not payment.open_reviews
    return PageState.AT_PROVIDER if has_page else PageState.UNCLEAR
