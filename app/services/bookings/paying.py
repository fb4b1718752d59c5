"""Initiates the payment of a booking.

Guarantees: at most one payment of a booking is alive or has collected (the index payments_live_of_order), however many ask at
once; whoever asks while one is alive gets that one. A payment whose page was lost with the provider's answer does not keep the
traveller from paying: it is ended at the provider, and only then another one begins.
"""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Final

from flask import current_app
from sqlalchemy import or_, select

from app.errors import IdempotencyConflict, InvalidApiKey, InvalidRequest, NotCancellable, ProviderUnreachable
from app.models.order import OrderStatus
from app.models.payment import AttemptState, MadeBy, Payment, PaymentStatus
from app.models.payment_review import PaymentReview
from app.parsing import BOOKING_ID
from app.principal import Principal
from app.providers import BOOKINGS
from app.services import payment_service
from app.services.bookings.bookings import BookingState, get_booking
from app.services.bookings.errors import BookingCancelled, BookingPaid, InitiationFailed
from app.services.idempotency_service import Answer, Claim
from app.services.payment_service import CustomerDetails, Initialized, PaymentRequest
from app.services.payments.read import latest_attempt
from app.services.provider_access import bulkhead
from app.services.write_sets.store import OrderTaken
from app.unit_of_work import reading

MAX_TRIES: Final = 5
"""Times that others pay the booking first, and their payment has ended before it is looked at."""

WAIT_S: Final = 5.0
"""Longest wait for the page of a payment that another request is initiating, seconds."""

_POLL_S: Final = 0.1
_WAITING: Final = "bookings"
"""The bulkhead of the requests that wait: they leave threads for others."""

NOT_ANSWERED: Final = "The provider has not answered yet. Nothing was paid; try again in a few seconds."

UNCLEAR: Final = "A payment of this booking is being checked. Do not pay again."

_RANDOM_HEX: Final = 12
_PREFIX_GROUPS: Final = 3


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays, where it is not the traveller: phone in E.164."""

    email: str | None = None
    name: str | None = None
    phone: str | None = None


def initiate(booking_id: uuid.UUID, payer: Payer, claim: Claim, *, address: str | None) -> Answer:
    """The payment that is alive, else a new one. The claim presents an Initialized, whose payment has failed or has a page.

    Raises BookingNotFound, BookingPaid, BookingCancelled, InitiationFailed, IdempotencyConflict.
    """
    for _ in range(MAX_TRIES):
        state = get_booking(booking_id)
        actor = Principal.of_traveller(state.booking.tenant_id, address)
        payment = _alive(state)
        if payment is not None and (found := _with_page(actor, payment)) is not None:
            return claim.present(Initialized(found, is_new=False))
        if payment is None and (answer := _begin(actor, state, payer, claim)) is not None:
            return answer
    raise IdempotencyConflict("The booking is being paid or cancelled by others; try again.", retry_after_s=1)


def new_reference(booking_id: uuid.UUID) -> str:
    """A payment's reference as document 004 writes it: `tx-`, 12 random hex digits, the first three groups of the booking's id."""
    groups = str(booking_id).split("-")[:_PREFIX_GROUPS]
    return "-".join(["tx", secrets.token_hex(_RANDOM_HEX // 2), *groups])


def _alive(state: BookingState) -> Payment | None:
    """The payment that is alive; None: the booking can be paid. Raises BookingPaid, BookingCancelled, InitiationFailed: money of
    an earlier payment may have come."""
    status = state.order_state.status
    if _is_unclear(state.booking.id):
        raise InitiationFailed(UNCLEAR)
    if status is OrderStatus.PROCESSING:
        return state.payment
    if status in (OrderStatus.PAID, OrderStatus.REFUNDED):
        raise BookingPaid
    if status is OrderStatus.CANCELLED or state.booking.released_at is not None:
        raise BookingCancelled
    return None


def _is_unclear(booking_id: uuid.UUID) -> bool:
    """Whether an operator must look at a payment of the booking that is not completed: its money may have come. Not without the
    provider's page, which the traveller needs to pay."""
    reviewed = select(PaymentReview.payment_id).join(Payment, Payment.id == PaymentReview.payment_id)
    reviewed = reviewed.where(
        Payment.order_id == booking_id,
        Payment.status.in_((PaymentStatus.PROCESSING, PaymentStatus.FAILED, PaymentStatus.CANCELLED)),
        or_(Payment.status != PaymentStatus.PROCESSING, Payment.payment_url.is_not(None)),
        PaymentReview.closed_at.is_(None),
    )
    with reading() as session:
        return bool(session.scalar(select(reviewed.exists())))


def _begin(actor: Principal, state: BookingState, payer: Payer, claim: Claim) -> Answer | None:
    """None: another request was first. Raises InitiationFailed."""
    begun: list[Payment] = []

    def present(result: Initialized) -> Answer:
        begun[:] = [result.payment]
        return claim.present(result)

    try:
        answer = payment_service.initialize(
            actor, _request(state, payer), Claim(claim.scope, claim.fingerprint, claim.key, present)
        )
    except OrderTaken:
        return None
    except (InvalidRequest, InvalidApiKey) as error:
        # The site has no account at the provider, or is suspended; or the provider does not take the amount.
        raise InitiationFailed(error.message) from error
    if begun[0].status is not PaymentStatus.FAILED and begun[0].payment_url is None:
        raise InitiationFailed(NOT_ANSWERED)
    return answer


def _request(state: BookingState, payer: Payer) -> PaymentRequest:
    reference, traveller = new_reference(state.booking.id), state.traveller
    return PaymentRequest(
        provider=BOOKINGS,
        amount=str(state.total_price),
        currency=state.total_price.currency,
        customer=CustomerDetails(
            phone=payer.phone or traveller.phone,
            id=str(traveller.id),
            email=payer.email or traveller.email,
            name=payer.name or traveller.name,
        ),
        return_url=return_url(state.booking.id),
        description=state.order_state.order.description,
        reference=reference,
        order_id=state.booking.id,
        api=MadeBy.BOOKINGS,
        attempt_reference=reference,
    )


def return_url(booking_id: uuid.UUID) -> str:
    """Where the traveller's browser returns after the provider's page."""
    given: str = current_app.config["BOOKING_PAGE_URL"]
    page = given or f"{current_app.config['PUBLIC_URL']}/bookings/{BOOKING_ID}"
    return page.replace(BOOKING_ID, str(booking_id))


def _with_page(actor: Principal, payment: Payment) -> Payment | None:
    """The payment once it has a page; None: it has ended. Raises InitiationFailed: it has no page yet, or the site has requested
    it in another way."""
    if payment.api is not MadeBy.BOOKINGS:
        raise InitiationFailed("The booking is being paid in another way.")
    payment = _when_sent(actor, payment)
    if payment.status not in (PaymentStatus.PENDING, PaymentStatus.PROCESSING):
        return None
    if payment.payment_url is not None:
        return payment
    with reading() as session:
        attempt = latest_attempt(session, payment.id)
    if attempt is None or attempt.state not in (AttemptState.UNKNOWN, AttemptState.PENDING):
        raise InitiationFailed(NOT_ANSWERED)
    try:
        payment_service.cancel(actor, payment.id)
    except (NotCancellable, ProviderUnreachable) as error:
        raise InitiationFailed(NOT_ANSWERED) from error
    return None


def _when_sent(actor: Principal, payment: Payment) -> Payment:
    """The payment once the provider has answered, or as it is after WAIT_S; as it is now when many threads wait already."""
    until = time.monotonic() + WAIT_S
    with bulkhead.slot(_WAITING) as may_wait:
        while may_wait and payment.payment_url is None and payment.status is PaymentStatus.PENDING:
            if time.monotonic() >= until:
                break
            time.sleep(_POLL_S)
            payment = payment_service.get_payment(actor, payment.id)
    return payment
