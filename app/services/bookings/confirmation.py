"""Confirms a paid booking to its traveller: the mail of document 004, section 4.

Guarantees: a payment that was completed is confirmed once, however often its job runs: the mail's row, the event and the job that
sends it are one transaction, and a second row for the payment cannot be inserted (services/mail/notifications.py).
"""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.events import outbox
from app.events.catalogue import EventType
from app.models.booking import Booking, BookingStatus
from app.models.notification import NotificationKind
from app.models.payment import Payment, PaymentAttempt
from app.money import Money
from app.principal import SYSTEM
from app.services.bookings.bookings import BookingState, read_booking
from app.services.mail.content import content
from app.services.mail.notifications import Mail, queue_mail
from app.unit_of_work import transaction

_SHORT_ID: Final = 8
"""Characters of the booking's id in the subject."""


def confirm(payment_id: uuid.UUID) -> None:
    """The job. Safe to run again. Nothing is confirmed where the payment's order is no booking, the money was refunded meanwhile, or the
    booking was cancelled before its money was accepted."""
    now = clock.now()

    def work(session: Session) -> None:
        payment = session.get_one(Payment, payment_id)
        booking = session.get(Booking, payment.order_id)
        if booking is None:
            return
        state = read_booking(session, booking.id)
        if state.status is not BookingStatus.CONFIRMED:
            return
        if not queue_mail(session, _mail(session, state, payment), now=now):
            return
        outbox.record(
            session,
            EventType.BOOKING_CONFIRMED,
            object_id=str(state.booking.id),
            data={"payment_id": str(payment.id)},
            now=now,
            actor=SYSTEM,
            tenant_id=payment.tenant_id,
            is_public=False,
        )

    transaction(work)


def _mail(session: Session, state: BookingState, payment: Payment) -> Mail:
    text, html = content("booking_confirmation", _values(session, state, payment))
    return Mail(
        kind=NotificationKind.BOOKING_CONFIRMATION,
        ref=payment.id,
        tenant_id=payment.tenant_id,
        recipient=payment.customer_email or state.traveller.email or "",
        subject=f"Payment Confirmation - Booking #{str(state.booking.id)[:_SHORT_ID]}",
        text=text,
        html=html,
    )


def _values(session: Session, state: BookingState, payment: Payment) -> dict[str, Any]:
    booking, paid_at = state.booking, payment.completed_at or payment.updated_at
    receipt = select(PaymentAttempt.receipt).where(
        PaymentAttempt.payment_id == payment.id, PaymentAttempt.receipt.is_not(None)
    )
    return {
        "name": payment.customer_name or state.traveller.name or "Traveller",
        "booking_id": booking.id,
        "property": state.listing.title,
        "location": state.listing.location,
        "check_in": booking.check_in.isoformat(),
        "check_out": booking.check_out.isoformat(),
        "guests": booking.guests,
        "payment_id": payment.id,
        "transaction_id": session.scalars(receipt).first() or payment.provider_transaction_id,
        "amount": Money(payment.amount, payment.currency),
        "currency": payment.currency,
        "paid_at": paid_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }
