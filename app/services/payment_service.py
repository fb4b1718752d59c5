"""Payments through providers: the use cases of the Gateway API.

Guarantees: one Idempotency-Key asks a customer for money once; a payment is `failed` only on the provider's clear word;
a tenant sees its own payments only.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, ids
from app.actor import Merchant
from app.errors import (
    InvalidRequest,
    NotCancellable,
    ProviderUnreachable,
    TransactionNotFound,
)
from app.events import catalogue, outbox
from app.models.payment import Payment, PaymentAttempt
from app.money import Money
from app.providers.base import Customer, Result, State
from app.providers.errors import NotSupported, OutcomeUnknown, ProviderError
from app.services import (
    bulkhead,
    list_totals,
    payment_driver,
    payment_results,
    payment_sending,
    provider_accounts,
)
from app.services.idempotency_service import Abandoned, Answer, Claim, begin, finish
from app.services.payment_results import Outcome
from app.services.payment_routes import route
from app.services.payment_sending import NOTHING_HAPPENED, Sent, answer_time, handle_of
from app.services.payment_states import FINAL_PAYMENTS, OPEN_ATTEMPTS
from app.services.payment_view import describe, event_data
from app.services.provider_accounts import BoundProvider
from app.services.realtime_tokens import realtime_token
from app.unit_of_work import reading, transaction

__all__ = [
    "CustomerDetails", "Order", "Page", "cancel", "get_payment", "initialize", "list_payments", "providers",
    "realtime_token", "verify",
]  # fmt: skip

log = structlog.get_logger("payments")


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """phone: E.164. id: the merchant's own word for the customer."""

    phone: str
    id: str | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a merchant asks for. provider: a name, `visa` or `auto`. amount: the JSON value as it came."""

    provider: str
    amount: object
    currency: str
    customer: CustomerDetails
    metadata: Mapping[str, Any] | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Payments, newest first. total: see list_totals. next_cursor continues behind the last one; None: there are none."""

    items: list[dict[str, Any]]
    total: int
    has_next: bool
    next_cursor: str | None


def initialize(merchant: Merchant, order: Order, claim: Claim) -> Answer:
    """Ask a customer for money. The answer's body: `payment` (payment_view.describe) and `error`, a sentence or None;
    its status: 201, 402 (the provider refused) or 502 (it was not reached), the payment then `failed`.

    Raises InvalidAmount, UnsupportedCurrency, InvalidRequest (nothing stored), and what `begin` raises.
    """
    amount = Money.parse(order.amount, order.currency)
    bounds = route(merchant.tenant_id, order.provider, amount, _customer(order.customer))
    first = bounds[0]
    with ExitStack() as place:
        is_in = place.enter_context(bulkhead.place(first.provider.name))
        payment_id = ids.uuid7()
        begun = transaction(
            lambda s: _begin(s, payment_id, merchant, order, amount, first, claim, is_sending=is_in)
        )
        if isinstance(begun, Answer):
            return begun
        if isinstance(begun, Abandoned):
            return transaction(lambda s: _present(s, begun.resource_id, claim))
        attempt_id = begun
        if not is_in:
            # Full: the attempt's job sends. The caller is told what is true now.
            return transaction(lambda s: _queued(s, attempt_id, claim))
        sent = payment_sending.send(attempt_id, bounds[1:], finish=_Remember(claim), leave=place.close)
    return _answer(sent.payment, sent.outcome)


def get_payment(merchant: Merchant, payment_id: uuid.UUID) -> dict[str, Any]:
    """Raises TransactionNotFound."""
    with reading() as session:
        return describe(owned(session, merchant.tenant_id, payment_id))


def verify(merchant: Merchant, payment_id: uuid.UUID) -> dict[str, Any]:
    """The payment after asking the provider; a final one as it is. Raises TransactionNotFound, ProviderUnreachable."""
    with reading() as session:
        payment = owned(session, merchant.tenant_id, payment_id)
        attempt = latest_attempt(session, payment_id)
    if payment.status in FINAL_PAYMENTS or attempt is None:
        return describe(payment)
    try:
        with bulkhead.required_place(attempt.provider):
            return describe(payment_driver.look(attempt.id))
    except OutcomeUnknown as error:
        if error.code == "nothing_to_ask_by":
            return describe(payment)
        _verification_failed(payment, error, merchant)
        raise ProviderUnreachable from error
    except ProviderError as error:
        _verification_failed(payment, error, merchant)
        raise ProviderUnreachable from error


def cancel(merchant: Merchant, payment_id: uuid.UUID) -> dict[str, Any]:
    """Take a payment back that was not paid. Raises TransactionNotFound, NotCancellable, ProviderUnreachable."""
    with reading() as session:
        payment = owned(session, merchant.tenant_id, payment_id)
        attempt = latest_attempt(session, payment_id)
    if payment.status == "cancelled":
        return describe(payment)
    if attempt is None or attempt.state not in OPEN_ATTEMPTS:
        raise NotCancellable(f"Cannot cancel a payment with status {payment.status}.")
    if attempt.state == "created":
        return describe(transaction(lambda s: _cancel_unsent(s, attempt.id, merchant)))
    provider = provider_accounts.of_attempt(attempt)
    if not provider.capabilities.can_cancel:
        raise NotCancellable(f"{provider.title} cannot take back a payment that was asked for.")
    try:
        with bulkhead.required_place(attempt.provider):
            outcome = provider.cancel(handle_of(payment, attempt, provider))
    except NotSupported as error:
        raise NotCancellable from error
    except ProviderError as error:
        raise ProviderUnreachable from error
    after = transaction(
        lambda s: payment_results.apply(s, attempt.id, outcome, source=merchant.public_id, now=clock.now())
    ).payment
    if after.status != "cancelled":
        raise NotCancellable(f"Cannot cancel a payment with status {after.status}.")
    return describe(after)


def list_payments(
    merchant: Merchant,
    *,
    provider: str | None = None,
    status: str | None = None,
    customer_id: str | None = None,
    limit: int,
    offset: int = 0,
    cursor: str | None = None,
) -> Page:
    """The tenant's payments, newest first; `cursor` (from a page before) instead of `offset`. Raises InvalidRequest."""
    query = select(Payment).where(Payment.tenant_id == merchant.tenant_id)
    for column, value in (
        (Payment.provider, provider), (Payment.status, status), (Payment.customer_id, customer_id),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    page = query.order_by(Payment.id.desc()).limit(limit + 1)
    page = page.where(Payment.id < _position(cursor)) if cursor else page.offset(offset)
    with reading() as session:
        rows = list(session.scalars(page))
        key = (merchant.tenant_id, provider, status, customer_id)
        total = list_totals.total(session, query.with_only_columns(Payment.id), key=key)
    has_next = len(rows) > limit
    shown = rows[:limit]
    return Page([describe(row) for row in shown], total, has_next, shown[-1].id.hex if has_next else None)


def providers(merchant: Merchant) -> list[dict[str, Any]]:
    """What this tenant can use, with what each can do."""
    return [
        _describe_provider(name, bound)
        for name, bound in provider_accounts.available(merchant.tenant_id).items()
    ]


def owned(session: Session, tenant_id: uuid.UUID, payment_id: uuid.UUID) -> Payment:
    """The tenant's payment. Raises TransactionNotFound: another tenant's looks the same."""
    payment = session.get(Payment, payment_id)
    if payment is None or payment.tenant_id != tenant_id:
        raise TransactionNotFound
    return payment


def latest_attempt(session: Session, payment_id: uuid.UUID) -> PaymentAttempt | None:
    wanted = select(PaymentAttempt).where(PaymentAttempt.payment_id == payment_id)
    return session.scalars(wanted.order_by(PaymentAttempt.number.desc()).limit(1)).first()


def _begin(
    session: Session,
    payment_id: uuid.UUID,
    merchant: Merchant,
    order: Order,
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
    if (begun := latest_attempt(session, payment_id)) is not None:
        return begun.id
    payment = Payment(
        id=payment_id, tenant_id=merchant.tenant_id, idempotency_key=claim.key,
        provider=bound.provider.name if order.provider == "auto" else order.provider,
        payment_method=order.provider, return_url=order.return_url, amount=amount.amount_minor,
        currency=amount.currency, status="pending", customer_id=order.customer.id,
        customer_phone=order.customer.phone, customer_email=order.customer.email,
        customer_name=order.customer.name, payment_metadata=None if order.metadata is None else dict(order.metadata),
        refund_reserved=0, refunded=0, created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(payment)
    session.flush()
    attempt = payment_sending.new_attempt(session, payment, bound, number=1, is_sending=is_sending, now=now)
    outbox.record(
        session, catalogue.PAYMENT_INITIATED, object_id=str(payment_id), data=event_data(payment), now=now,
        actor=merchant, tenant_id=merchant.tenant_id,
    )  # fmt: skip
    log.info(
        catalogue.PAYMENT_INITIATED,
        payment=str(payment_id),
        provider=payment.provider,
        attempt=str(attempt.id),
    )
    return attempt.id


class _Remember(payment_sending.Finish):
    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def __call__(self, session: Session, sent: Sent) -> None:
        finish(session, self._claim, _answer(sent.payment, sent.outcome))


def _answer(payment: Payment, outcome: Outcome | None = None) -> Answer:
    body: dict[str, Any] = {"payment": describe(payment), "error": None}
    status = 201
    if payment.status == "failed":
        body["error"] = payment.failure_reason or "The payment failed."
        status = 502 if isinstance(outcome, NOTHING_HAPPENED) else 402
    return Answer(body, status=status, resource_id=payment.id)


def _queued(session: Session, attempt_id: uuid.UUID, claim: Claim) -> Answer:
    locked = payment_results.lock(session, attempt_id)
    if payment_results.move(locked.payment, "processing", now=clock.now()):
        payment_results.record(
            session, catalogue.PAYMENT_PROCESSING, locked.payment, source="system", now=clock.now()
        )
    answer = _answer(locked.payment)
    finish(session, claim, answer)
    return answer


def _present(session: Session, payment_id: uuid.UUID, claim: Claim) -> Answer:
    """The answer of a key whose first request left none, or left it more than a day ago: the payment as it is now."""
    payment = session.get_one(Payment, payment_id)
    answer = _answer(payment)
    if payment.status in FINAL_PAYMENTS:
        finish(session, claim, answer)
    return Answer(answer.body, status=answer.status, resource_id=payment_id, replayed=True)


def _cancel_unsent(session: Session, attempt_id: uuid.UUID, merchant: Merchant) -> Payment:
    locked = payment_results.lock(session, attempt_id)
    if locked.attempt.state != "created":
        raise NotCancellable("The payment is being sent; try again.")
    result = Result(State.CANCELLED, code="cancelled", message="Cancelled by the merchant.")
    return payment_results.apply(
        session, attempt_id, result, source=merchant.public_id, now=clock.now()
    ).payment


def _verification_failed(payment: Payment, error: ProviderError, merchant: Merchant) -> None:
    def work(session: Session) -> None:
        data = event_data(payment) | {"error": error.message}
        outbox.record(
            session, catalogue.PAYMENT_VERIFICATION_FAILED, object_id=str(payment.id), data=data,
            now=clock.now(), actor=merchant, tenant_id=payment.tenant_id,
        )  # fmt: skip

    transaction(work)


def _position(cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(hex=cursor)
    except ValueError:
        raise InvalidRequest("This cursor is not from a list of payments.", field="cursor") from None


def _customer(details: CustomerDetails) -> Customer:
    return Customer(details.phone, details.email, details.name)


def _describe_provider(name: str, bound: BoundProvider) -> dict[str, Any]:
    capabilities = bound.provider.capabilities
    return {
        "name": name,
        "title": bound.provider.title,
        "environment": bound.environment,
        "currencies": sorted(capabilities.currencies),
        "capabilities": {
            "payment_page": capabilities.has_payment_page,
            "refunds": capabilities.can_refund,
            "partial_refunds": capabilities.can_refund_partially,
            "repeated_refunds": capabilities.can_refund_repeatedly,
            "cancel": capabilities.can_cancel,
            "payouts": {method.value: sorted(found) for method, found in capabilities.payouts.items()},
        },
        "needs": sorted(capabilities.needs),
    }
