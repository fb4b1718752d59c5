"""Orders: what a tenant's customers are to pay."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response
from marshmallow import ValidationError

from app.api.tenant.schemas.orders import (
    CheckoutRequest,
    FailedCheckout,
    Order,
    OrderList,
    OrderQuery,
    OrderRequest,
    TenantPayment,
)
from app.api.tenant.views_orders import checked_out, created, order_detail, order_view
from app.errors import (
    InvalidAmount,
    InvalidRequest,
    NotFound,
    ProviderNotConfigured,
    UnsupportedCurrency,
)
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.idempotency import claim
from app.http.operation import OPTIONAL, operation
from app.http.payment_fields import e164
from app.http.responses import respond
from app.http.schema import Nothing
from app.models.order import OrderStatus
from app.services.orders import checkout, orders
from app.services.orders.errors import OrderIdTaken, OrderNotCancellable, OrderNotPayable
from app.services.orders.orders import Item, OrderFilter

blueprint = Blueprint("orders", __name__, description="Orders and their checkout.")


@blueprint.route("/orders", methods=["POST"])
@operation("orders_create", key=OPTIONAL, errors=[InvalidAmount, UnsupportedCurrency, OrderIdTaken])
@blueprint.arguments(OrderRequest)
@blueprint.response(201, Order)
def create_order(body: dict[str, Any]) -> Response:
    """Make an order for a customer. Nobody is asked for money yet: that is the order's checkout."""
    wanted = orders.OrderRequest(
        customer_id=body["customer_id"],
        amount=body["amount"],
        currency=body.get("currency"),
        items=[Item(**item) for item in body["items"]] if "items" in body else None,
        reference=body.get("reference"),
        description=body.get("description"),
        id=body.get("id"),
    )
    answer = orders.create_order(current_principal(), wanted, claim(_with_texts(body), created))
    return respond(answer.body, answer.status, replayed=answer.replayed)


@blueprint.route("/orders")
@operation("orders_list")
@blueprint.arguments(OrderQuery, location="query")
@blueprint.response(200, OrderList)
def list_orders(query: dict[str, Any]) -> Response:
    """Orders, newest first, without their payments."""
    status = query.get("status")
    wanted = OrderFilter(OrderStatus(status) if status else None, query.get("customer_id"))
    page = orders.list_orders(current_principal(), wanted, limit=query["limit"], after=query.get("cursor"))
    return respond(
        {
            "count": len(page.items),
            "results": [order_view(state) for state in page.items],
            "next_cursor": str(page.items[-1].order.id) if page.has_next else None,
        }
    )


@blueprint.route("/orders/<uuid:order_id>")
@operation("orders_get", errors=[NotFound])
@blueprint.response(200, Order)
def get_order(order_id: uuid.UUID) -> Response:
    """An order with its payment, as the gateway knows it; the provider is not asked."""
    return respond(order_detail(orders.get_order(current_principal(), order_id)))


@blueprint.route("/orders/<uuid:order_id>/cancel", methods=["POST"])
@operation("orders_cancel", errors=[NotFound, OrderNotCancellable])
@blueprint.arguments(Nothing)
@blueprint.response(200, Order)
def cancel_order(body: dict[str, Any], order_id: uuid.UUID) -> Response:
    """Cancel an order that no payment of is alive or has collected."""
    return respond(order_detail(orders.cancel_order(current_principal(), order_id)))


@blueprint.route("/orders/<uuid:order_id>/checkout", methods=["POST"])
@operation(
    "orders_check_out",
    key=OPTIONAL,
    errors=[NotFound, OrderNotPayable, InvalidAmount, UnsupportedCurrency, ProviderNotConfigured],
)
@blueprint.arguments(CheckoutRequest)
@blueprint.response(201, TenantPayment)
@blueprint.alt_response(200, schema=TenantPayment, description="The payment that is alive already.")
@blueprint.alt_response(402, schema=FailedCheckout, description="The provider refused it.")
@blueprint.alt_response(502, schema=FailedCheckout, description="The provider was not reached.")
def check_out(body: dict[str, Any], order_id: uuid.UUID) -> Response:
    """Request the order's amount from its customer, or charge a saved method. An order has one live payment: while it is
    alive, that one is answered with 200. 402: the provider refused; 502: it could not be reached. Nothing was taken then.

    201 with `processing` also when the provider's answer was lost: the gateway asks the provider what became of it.
    """
    member = current_principal()
    wanted = checkout.CheckoutRequest(**body)
    if wanted.phone is not None:
        order = orders.get_order(member, order_id).order
        wanted = checkout.CheckoutRequest(**(body | {"phone": _in_e164(wanted.phone, order.currency)}))
    answer = checkout.check_out(member, order_id, wanted, claim(body, checked_out))
    return respond(answer.body, answer.status, replayed=answer.replayed)


def _in_e164(phone: str, currency: str) -> str:
    """A national number is of the country of the order's currency. Raises InvalidRequest."""
    try:
        return e164(phone, currency)
    except ValidationError as error:
        message = str(error.messages[0])
        raise InvalidRequest(
            f"phone: {message}", field="phone", details={"fields": {"phone": [message]}}
        ) from error


def _with_texts(body: dict[str, Any]) -> dict[str, Any]:
    """As the fingerprint takes it: JSON, so ids as texts."""
    return {name: str(value) if isinstance(value, uuid.UUID) else value for name, value in body.items()}
