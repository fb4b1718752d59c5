"""Checks an order out: its customer is asked for the money, or charged by a saved method.

Guarantees: at most one payment of an order is alive or has collected, however many ask at once (the index
payments_live_of_order); whoever asks while one is alive gets that one, and no customer is asked twice.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from app.errors import IdempotencyConflict
from app.models.customer import Customer
from app.models.order import OrderStatus
from app.models.payment import MadeBy, Payment, SaveMethod
from app.principal import Principal
from app.services import payment_service
from app.services.customers import customers
from app.services.idempotency_service import Answer, Claim, find
from app.services.orders.choice import Choice, choose
from app.services.orders.errors import OrderNotPayable
from app.services.orders.orders import OrderState, get_order
from app.services.payment_service import CustomerDetails, Initialized, PaymentRequest
from app.services.payments import rows as payment_rows
from app.services.payments.rows import PaymentWrites
from app.services.write_sets import store
from app.services.write_sets.store import KeyKnown, OrderTaken

MAX_TRIES: Final = 5
"""Times that others take the order first, and their payment has ended before it is looked at."""


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """provider: a name or `auto`. method_id: of a saved method. phone (E.164), email: instead of the customer's own.
    set_as_default: implies save_method."""

    provider: str | None = None
    method_id: str | None = None
    save_method: bool = False
    set_as_default: bool = False
    phone: str | None = None
    email: str | None = None
    return_url: str | None = None


def check_out(actor: Principal, order_id: uuid.UUID, request: CheckoutRequest, claim: Claim) -> Answer:
    """The payment that is alive, else a new one. The claim presents an Initialized.

    Raises NotFound, OrderNotPayable, InvalidRequest (the method), and what payment_service.initialize raises.
    """
    if claim.key and (record := find(claim)) is not None:
        return payment_service.known_answer(record, claim)
    for _ in range(MAX_TRIES):
        state = get_order(actor, order_id)
        if state.status is OrderStatus.PROCESSING and state.payment is not None:
            return _alive(actor, state.payment, claim)
        if state.status is not OrderStatus.OPEN:
            raise OrderNotPayable(f"Order is already {state.status}")
        try:
            return payment_service.initialize(actor, _payment_request(actor, state, request), claim)
        except OrderTaken:
            continue
    raise IdempotencyConflict("The order is being paid or cancelled by others; try again.", retry_after_s=1)


def _alive(actor: Principal, payment: Payment, claim: Claim) -> Answer:
    """The payment that is alive, as the key's answer where there is a key."""
    if not claim.key:
        return claim.present(Initialized(payment, is_new=False))

    def decide(writes: PaymentWrites) -> Answer:
        answer = claim.present(Initialized(writes.rows.payment, is_new=False))
        writes.claim(claim, resource_id=payment.id, lease=timedelta())
        writes.answer(claim, answer, resource_id=payment.id)
        return answer

    try:
        return store.change(payment_rows.read(payment.id), decide, actor=actor).result
    except KeyKnown as known:
        return payment_service.known_answer(known.record, claim)


def _payment_request(actor: Principal, state: OrderState, request: CheckoutRequest) -> PaymentRequest:
    order = state.order
    customer = customers.find(actor.tenant_id, order.customer_id)
    choice = choose(customer, state.amount, provider=request.provider, method_id=request.method_id)
    return PaymentRequest(
        provider=choice.provider,
        amount=str(state.amount),
        currency=order.currency,
        customer=_payer(customer, request),
        return_url=request.return_url,
        description=order.description,
        reference=order.reference,
        api=MadeBy.TENANT,
        order_id=order.id,
        saved_details=_details(choice),
        save_method=_saving(request),
    )


def _payer(customer: Customer, request: CheckoutRequest) -> CustomerDetails:
    return CustomerDetails(
        phone=request.phone or customer.phone,
        id=str(customer.id),
        email=request.email or customer.email,
        name=customer.name,
    )


def _details(choice: Choice) -> dict[str, str] | None:
    return None if choice.method is None else dict(choice.method.details)


def _saving(request: CheckoutRequest) -> SaveMethod | None:
    if request.set_as_default:
        return SaveMethod.SAVE_AS_DEFAULT
    return SaveMethod.SAVE if request.save_method else None
