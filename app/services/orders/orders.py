"""Orders: create, read, list, cancel.

Guarantees: a tenant sees its own orders only; an order's status is what its payments say at that moment; an order is cancelled
only while no payment of it is alive or has collected, and gets no payment afterwards (write_sets/sql/write_set_apply.sql).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.models.customer import Customer
from app.models.order import Order, OrderStatus
from app.models.payment import Payment, PaymentStatus
from app.models.tenant import Tenant
from app.money import Money
from app.principal import Principal
from app.services.idempotency_service import Answer, Claim, answer_once
from app.services.orders.errors import OrderIdTaken, OrderNotCancellable
from app.services.pages import Page
from app.unit_of_work import reading, transaction

ENDED: Final = (PaymentStatus.FAILED, PaymentStatus.CANCELLED)
"""A payment with one of these leaves its order as it was; of the others an order has at most one."""

STATUS_OF: Final[Mapping[PaymentStatus, OrderStatus]] = MappingProxyType(
    {
        PaymentStatus.PENDING: OrderStatus.PROCESSING,
        PaymentStatus.PROCESSING: OrderStatus.PROCESSING,
        PaymentStatus.COMPLETED: OrderStatus.PAID,
        PaymentStatus.PARTIALLY_REFUNDED: OrderStatus.PAID,
        PaymentStatus.REFUNDED: OrderStatus.REFUNDED,
        PaymentStatus.REVERSED: OrderStatus.REFUNDED,
    }
)
"""What the payment that has not ended makes of its order. Without one it is open or cancelled."""


@dataclass(frozen=True, slots=True)
class Item:
    """unit_price: in major units of the order's currency, as Money.parse takes it."""

    name: str
    quantity: int
    unit_price: object | None = None
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """amount: in major units. currency: None for the tenant's. id: None for a new one."""

    customer_id: uuid.UUID
    amount: object
    currency: str | None = None
    items: Sequence[Item] | None = None
    reference: str | None = None
    description: str | None = None
    id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as it stands. payment: the one that has not ended, else where it was read the latest one."""

    order: Order
    payment: Payment | None = None

    @property
    def status(self) -> OrderStatus:
        if self.payment is not None and self.payment.status not in ENDED:
            return STATUS_OF[self.payment.status]
        return OrderStatus.CANCELLED if self.order.cancelled_at is not None else OrderStatus.OPEN

    @property
    def amount(self) -> Money:
        return Money(self.order.amount, self.order.currency)


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Every criterion that is set must hold."""

    status: OrderStatus | None = None
    customer_id: uuid.UUID | None = None


def create_order(actor: Principal, request: OrderRequest, claim: Claim) -> Answer:
    """The claim presents an OrderState.

    Raises InvalidAmount, UnsupportedCurrency, InvalidRequest (the customer), OrderIdTaken, and answer_once's errors.
    """
    order_id, now = request.id or ids.uuid7(), clock.now()

    def act(session: Session) -> OrderState:
        _require_customer(session, actor.tenant_id, request.customer_id)
        currency = request.currency or session.get_one(Tenant, actor.tenant_id).currency
        amount = Money.parse(request.amount, currency)
        stored = store_order(session, actor.tenant_id, order_id, request, amount, actor=actor, now=now)
        return OrderState(stored)

    return answer_once(claim, act)


def store_order(
    session: Session,
    tenant_id: uuid.UUID,
    order_id: uuid.UUID,
    request: OrderRequest,
    amount: Money,
    *,
    actor: Principal,
    now: datetime,
) -> Order:
    """Insert the order of this amount in the caller's transaction. Raises OrderIdTaken, InvalidAmount (of an item)."""
    values = {
        "id": order_id,
        "tenant_id": tenant_id,
        "customer_id": request.customer_id,
        "amount": amount.amount_minor,
        "currency": amount.currency,
        "reference": request.reference,
        "description": request.description,
        "created_at": now,
    }
    if request.items is not None:
        values["items"] = [_stored(item, amount.currency) for item in request.items]
    made = session.execute(insert(Order).values(values).on_conflict_do_nothing().returning(Order.id))
    if made.first() is None:
        raise OrderIdTaken
    order = session.get_one(Order, order_id)
    _record(session, EventType.ORDER_CREATED, order, now=now, actor=actor)
    return order


def get_order(reader: Principal, order_id: uuid.UUID) -> OrderState:
    """With its payment. Raises NotFound."""
    with reading() as session:
        return read_order(session, reader.tenant_id, order_id)


def read_order(session: Session, tenant_id: uuid.UUID, order_id: uuid.UUID) -> OrderState:
    """As get_order, in the caller's session."""
    order = session.get(Order, order_id)
    if order is None or order.tenant_id != tenant_id:
        raise NotFound
    wanted = select(Payment).where(Payment.order_id == order_id)
    latest = wanted.order_by(Payment.status.in_(ENDED), Payment.id.desc()).limit(1)
    return OrderState(order, session.scalars(latest).first())


def list_orders(
    reader: Principal, wanted: OrderFilter, *, limit: int, after: uuid.UUID | None = None
) -> Page[OrderState]:
    """Up to `limit` orders, newest first, older than the order `after`. Raises InvalidRequest: there is no such order."""
    with reading() as session:
        query = _selected(reader.tenant_id, wanted).limit(limit + 1)
        if after is not None:
            place = _place_of(session, reader.tenant_id, after)
            query = query.where(tuple_(Order.created_at, Order.id) < tuple_(*place))
        rows = [OrderState(row[0], row[1]) for row in session.execute(query)]
    return Page.cut(rows, limit=limit)


def cancel_order(actor: Principal, order_id: uuid.UUID) -> OrderState:
    """Raises NotFound, OrderNotCancellable."""
    now = clock.now()

    def work(session: Session) -> OrderState:
        state = locked_order(session, actor.tenant_id, order_id)
        if state.status is not OrderStatus.OPEN:
            raise OrderNotCancellable(f"Cannot cancel order with status: {state.status}")
        end_order(session, state, now=now, actor=actor)
        return state

    return transaction(work)


def locked_order(session: Session, tenant_id: uuid.UUID, order_id: uuid.UUID) -> OrderState:
    """As read_order, and until the caller's transaction ends no payment of the order begins. Raises NotFound."""
    # A payment is stored under a share lock of its order's row: either it is seen here, or it sees the cancellation.
    mine = select(Order.id).where(Order.id == order_id, Order.tenant_id == tenant_id)
    session.execute(mine.with_for_update(key_share=True))
    return read_order(session, tenant_id, order_id)


def end_order(session: Session, state: OrderState, *, now: datetime, actor: Principal) -> None:
    """Cancel an open order that is locked."""
    state.order.cancelled_at = now
    _record(session, EventType.ORDER_CANCELLED, state.order, now=now, actor=actor)


def _selected(tenant_id: uuid.UUID, wanted: OrderFilter) -> Select[Order, Payment]:
    """Orders with the payment that has not ended, newest first."""
    query = select(Order, Payment).outerjoin(
        Payment, and_(Payment.order_id == Order.id, Payment.status.not_in(ENDED))
    )
    query = query.where(Order.tenant_id == tenant_id)
    if wanted.customer_id is not None:
        query = query.where(Order.customer_id == wanted.customer_id)
    if wanted.status is not None:
        query = query.where(_has_status(wanted.status))
    return query.order_by(Order.created_at.desc(), Order.id.desc())


def _has_status(status: OrderStatus) -> ColumnElement[bool]:
    """Of a row of `_selected`: OrderState.status, for the database."""
    if status is OrderStatus.OPEN:
        return and_(Payment.id.is_(None), Order.cancelled_at.is_(None))
    if status is OrderStatus.CANCELLED:
        return and_(Payment.id.is_(None), Order.cancelled_at.is_not(None))
    return Payment.status.in_([of for of, made in STATUS_OF.items() if made is status])


def _place_of(session: Session, tenant_id: uuid.UUID, order_id: uuid.UUID) -> tuple[datetime, uuid.UUID]:
    order = session.get(Order, order_id)
    if order is None or order.tenant_id != tenant_id:
        raise InvalidRequest("This cursor is not from this list.", field="cursor")
    return order.created_at, order.id


def _require_customer(session: Session, tenant_id: uuid.UUID, customer_id: uuid.UUID) -> None:
    customer = session.get(Customer, customer_id)
    if customer is None or customer.tenant_id != tenant_id:
        raise InvalidRequest(f"Customer {customer_id} not found", field="customer_id")


def _stored(item: Item, currency: str) -> dict[str, Any]:
    stored: dict[str, Any] = {"name": item.name, "quantity": item.quantity}
    if item.unit_price is not None:
        stored["unit_price"] = Money.parse(item.unit_price, currency).amount_minor
    if item.sku is not None:
        stored["sku"] = item.sku
    return stored


def _record(
    session: Session, event_type: EventType, order: Order, *, now: datetime, actor: Principal
) -> None:
    facts = {
        "customer_id": str(order.customer_id),
        "amount_minor": order.amount,
        "currency": order.currency,
        "reference": order.reference,
    }
    outbox.record(
        session,
        event_type,
        object_id=str(order.id),
        data=facts,
        now=now,
        actor=actor,
        tenant_id=order.tenant_id,
        is_public=False,
    )
