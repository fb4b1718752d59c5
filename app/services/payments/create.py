"""Initialize a payment."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from app import clock, ids
from app.events import outbox
from app.events.catalogue import EventType
from app.events.payloads import payment_payload
from app.models.payment import Payment, PaymentStatus
from app.money import Money
from app.principal import Principal
from app.providers.base import Customer
from app.providers.errors import NOTHING_HAPPENED
from app.services.idempotency_service import Abandoned, Answer, Claim, begin, finish, replayed
from app.services.payments import attempts as payment_attempts
from app.services.payments.attempts import Sent
from app.services.payments.locks import lock_attempt
from app.services.payments.recording import record_payment_event
from app.services.payments.routing import AUTO, route
from app.services.payments.states import FINAL_PAYMENTS, move_payment
from app.services.provider_access import bulkhead
from app.services.provider_access.accounts import BoundProvider
from app.services.provider_operations import answer_time
from app.unit_of_work import transaction

log = structlog.get_logger("payments")


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """phone: E.164. id: the merchant's own id of the customer."""

    phone: str
    id: str | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What a merchant asks for. provider: a name, `visa` or `auto`. amount: in major units, as Money.parse takes it."""

    provider: str
    amount: object
    currency: str
    customer: CustomerDetails
    metadata: Mapping[str, Any] | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Initialized:
    """What `initialize` led to: the payment, `failed` where the provider refused. was_reached: whether a provider was reached."""

    payment: Payment
    was_reached: bool = True


def initialize(merchant: Principal, request: PaymentRequest, claim: Claim) -> Answer:
    """Request a payment from a customer. The claim presents an `Initialized`.

    Raises InvalidAmount, UnsupportedCurrency, InvalidRequest (nothing stored), and what `begin` raises.
    """
    amount = Money.parse(request.amount, request.currency)
    bounds = route(merchant.tenant_id, request.provider, amount, _customer(request.customer))
    first = bounds[0]
    with ExitStack() as slots:
        has_slot = slots.enter_context(bulkhead.slot(first.provider.name))
        payment_id = ids.uuid7()
        begun = transaction(
            lambda s: _begin(s, payment_id, merchant, request, amount, first, claim, is_sending=has_slot)
        )
        if isinstance(begun, Answer):
            return begun
        if isinstance(begun, Abandoned):
            return transaction(lambda s: _present(s, begun.resource_id, claim))
        attempt_id = begun
        if not has_slot:
            # No slot: the attempt's job sends it. The caller gets the payment as it is now.
            return transaction(lambda s: _queued(s, attempt_id, claim))
        sent = payment_attempts.send(
            attempt_id, bounds[1:], finish=_StoreAnswer(claim), release_slot=slots.close
        )
    return claim.present(_initialized(sent))


def _begin(
    session: Session,
    payment_id: uuid.UUID,
    merchant: Principal,
    request: PaymentRequest,
    amount: Money,
    bound: BoundProvider,
    claim: Claim,
    *,
    is_sending: bool,
) -> Answer | Abandoned | uuid.UUID:
    """The id of the attempt to send, or what the key has led to before."""
    now = clock.now()
    known = begin(session, claim, resource_id=payment_id, lease=answer_time() + timedelta(seconds=15))
    if known is not None:
        return known
    payment = Payment(
        id=payment_id,
        tenant_id=merchant.tenant_id,
        idempotency_key=claim.key,
        provider=bound.provider.name if request.provider == AUTO else request.provider,
        payment_method=request.provider,
        return_url=request.return_url,
        amount=amount.amount_minor,
        currency=amount.currency,
        requested_amount=amount.amount_minor,
        requested_currency=amount.currency,
        status=PaymentStatus.PENDING,
        customer_id=request.customer.id,
        customer_phone=request.customer.phone,
        customer_email=request.customer.email,
        customer_name=request.customer.name,
        payment_metadata=None if request.metadata is None else dict(request.metadata),
        refund_reserved=0,
        refunded=0,
        created_at=now,
        updated_at=now,
    )
    session.add(payment)
    session.flush()
    attempt = payment_attempts.new_attempt(session, payment, bound, number=1, is_sending=is_sending, now=now)
    outbox.record(
        session,
        EventType.PAYMENT_INITIATED,
        object_id=str(payment_id),
        data=payment_payload(payment),
        now=now,
        actor=merchant,
        tenant_id=merchant.tenant_id,
    )
    log.info(
        EventType.PAYMENT_INITIATED,
        payment=str(payment_id),
        provider=payment.provider,
        attempt=str(attempt.id),
    )
    return attempt.id


class _StoreAnswer(payment_attempts.Finish):
    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def __call__(self, session: Session, sent: Sent) -> None:
        finish(session, self._claim, _initialized(sent), resource_id=sent.payment.id)


def _initialized(sent: Sent) -> Initialized:
    return Initialized(sent.payment, was_reached=not isinstance(sent.outcome, NOTHING_HAPPENED))


def _queued(session: Session, attempt_id: uuid.UUID, claim: Claim) -> Answer:
    locked = lock_attempt(session, attempt_id)
    if move_payment(locked.payment, PaymentStatus.PROCESSING, now=clock.now()):
        record_payment_event(
            session, EventType.PAYMENT_PROCESSING, locked.payment, source="system", now=clock.now()
        )
    return finish(session, claim, Initialized(locked.payment), resource_id=locked.payment.id)


def _present(session: Session, payment_id: uuid.UUID, claim: Claim) -> Answer:
    """The answer of a key whose first request left none, or left it more than a day ago: the payment as it is now."""
    payment = session.get_one(Payment, payment_id)
    if payment.status in FINAL_PAYMENTS:
        finish(session, claim, Initialized(payment), resource_id=payment_id)
    return replayed(claim, Initialized(payment))


def _customer(details: CustomerDetails) -> Customer:
    return Customer(details.phone, details.email, details.name)
