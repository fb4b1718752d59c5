"""Verifies the payment of a booking: asks the provider, and says what became of it.

Guarantees: the provider's answer is applied by the one function that applies outcomes (payments/outcomes.py), so amount, currency
and reference are compared there, and it does not matter whether this, the callback or the webhook is first; of all verifications
after the payment was completed exactly one is the first, also when they come at once.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock
from app.errors import PaymentNotFound, ProviderUnreachable
from app.models.booking import Booking
from app.models.payment import MadeBy, Payment, PaymentAttempt
from app.principal import Principal
from app.services import payment_service
from app.services.bookings.bookings import BookingState, read_booking
from app.services.bookings.errors import VerificationFailed
from app.services.payments.payer_status import PayerStatus, payer_status_of
from app.unit_of_work import reading, transaction


class Verdict(StrEnum):
    """What a verification says."""

    COMPLETED = "completed"
    """For the first time."""

    KNOWN = "known"
    """It was answered before; or the money was refunded since."""

    PENDING = "pending"
    FAILED = "failed"


VERDICTS: Final = MappingProxyType(
    {
        PayerStatus.OPEN: Verdict.PENDING,
        PayerStatus.FAILED: Verdict.FAILED,
        PayerStatus.REFUNDED: Verdict.KNOWN,
        PayerStatus.COMPLETED: Verdict.KNOWN,
    }
)
"""What the payer sees of the payment → the verdict, but for the first time."""


@dataclass(frozen=True, slots=True)
class Verification:
    """receipt: the provider's id of the collected money."""

    verdict: Verdict
    payment: Payment
    booking: BookingState
    receipt: str | None


def verify(reference: str, *, address: str | None) -> Verification:
    """reference: the payment's, from new_reference. address: the client's. Raises PaymentNotFound, VerificationFailed."""
    with reading() as session:
        payment, _ = _found(session, reference)
    refresh(payment, address=address)
    return _verdict(reference)


def refresh(payment: Payment, *, address: str | None) -> None:
    """Ask the provider about a payment that is open. Where the customer's last try has failed its page is closed, and the payment
    has failed. Raises VerificationFailed: the provider was not reached."""
    traveller = Principal.of_traveller(payment.tenant_id, address)
    try:
        payment_service.verify(traveller, payment.id, ends_failed_try=True)
    except ProviderUnreachable as error:
        raise VerificationFailed(error.message) from error


def _verdict(reference: str) -> Verification:
    now = clock.now()

    def work(session: Session) -> Verification:
        payment, receipt = _found(session, reference)
        state = read_booking(session, _booking_id(payment))
        status = payer_status_of(payment)
        if status is PayerStatus.COMPLETED and _is_first(session, state.booking.id, now):
            return Verification(Verdict.COMPLETED, payment, state, receipt)
        return Verification(VERDICTS[status], payment, state, receipt)

    return transaction(work)


def _is_first(session: Session, booking_id: uuid.UUID, now: datetime) -> bool:
    """Whether the booking was verified at no time before."""
    mark = update(Booking).where(Booking.id == booking_id, Booking.verified_at.is_(None))
    return session.execute(mark.values(verified_at=now).returning(Booking.id)).first() is not None


def _found(session: Session, reference: str) -> tuple[Payment, str | None]:
    """The payment, and its attempt's receipt. Raises PaymentNotFound."""
    wanted = select(Payment, PaymentAttempt.receipt).join(
        PaymentAttempt, PaymentAttempt.payment_id == Payment.id
    )
    wanted = wanted.where(PaymentAttempt.reference == reference, Payment.api == MadeBy.BOOKINGS)
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise PaymentNotFound("Payment not found")
    return row[0], row[1]


def _booking_id(payment: Payment) -> uuid.UUID:
    assert payment.order_id is not None, "a booking's payment is its order's"
    return payment.order_id
