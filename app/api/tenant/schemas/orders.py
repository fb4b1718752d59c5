"""Bodies and queries of orders and their checkout."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from marshmallow import fields as ma

from app.api.gateway.schemas.operations import Id
from app.api.gateway.schemas.payments import MAX_DESCRIPTION, MAX_REFERENCE
from app.http import fields
from app.http.answers import Answer, Time, one_of
from app.http.pagination import DEFAULT_LIMIT, MAX_LIMIT
from app.http.payment_fields import (
    Email,
    Phone,
    PositiveAmount,
    PrintedText,
    ProviderName,
    WebAddress,
)
from app.http.schema import Schema
from app.models.order import OrderStatus
from app.models.payment import PaymentStatus
from app.providers.base import FailureCode

MAX_ITEMS: Final = 100
MAX_QUANTITY: Final = 1_000_000
MAX_NAME: Final = 200
MAX_SKU: Final = 64


class OrderItemRequest(Schema):
    name = PrintedText(max_length=MAX_NAME, required=True)
    quantity = fields.WholeNumber(minimum=1, maximum=MAX_QUANTITY, required=True)
    unit_price = PositiveAmount("The unit price must be greater than 0")
    sku = PrintedText(max_length=MAX_SKU)


class OrderRequest(Schema):
    examples: ClassVar = {
        "an order": {
            "customer_id": "123e4567-e89b-12d3-a456-426614174000",
            "amount": 1000.00,
            "items": [{"name": "Shirt", "quantity": 2, "unit_price": 500.00, "sku": "SH-1"}],
            "reference": "ORD-12345",
        }
    }

    customer_id = Id(required=True)
    amount = PositiveAmount("Amount must be greater than 0", required=True)
    currency = fields.Currency(metadata={"description": "Default: the tenant's."})
    items = fields.ListOf(
        ma.Nested(OrderItemRequest, error_messages=fields.MESSAGES),
        maximum=MAX_ITEMS,
        metadata={
            "description": "What is sold, for people: the amount is not computed from it, since it may have discounts and delivery in it."
        },
    )
    reference = PrintedText(max_length=MAX_REFERENCE, metadata={"description": "Yours, such as its number."})
    description = PrintedText(
        max_length=MAX_DESCRIPTION,
        metadata={"description": "What the customer reads on the provider's page, phone or statement."},
    )
    id = Id(metadata={"description": "Default: a new one."})


class OrderQuery(Schema):
    status = fields.Choice(*OrderStatus)
    customer_id = Id()
    cursor = Id(metadata={"description": "`next_cursor` of the page before, with the same filters."})
    limit = fields.QueryNumber(
        minimum=1, maximum=MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata={"description": "Default 20."}
    )


class CheckoutRequest(Schema):
    examples: ClassVar = {
        "as the customer prefers": {},
        "by a saved method": {"method_id": "mpesa_254712345678"},
        "by a provider": {
            "provider": "mpesa",
            "phone": "+254712345678",
            "save_method": True,
            "set_as_default": True,
        },
    }

    provider = ProviderName(
        metadata={"description": "Default: the method's, else what the customer prefers, else `auto`."}
    )
    method_id = fields.Text(
        max_length=300, metadata={"description": "A saved method of the customer's, which is charged."}
    )
    save_method = ma.Boolean(
        truthy={True},
        falsy={False},
        load_default=False,
        metadata={"description": "Save what it is paid with for the customer."},
    )
    set_as_default = ma.Boolean(
        truthy={True},
        falsy={False},
        load_default=False,
        metadata={"description": "Save it as the customer's default."},
    )
    phone = Phone(metadata={"description": "Instead of the customer's own."})
    email = Email(metadata={"description": "Instead of the customer's own."})
    return_url = WebAddress(metadata={"description": "Where the customer goes after a payment page."})


def amount_number(**metadata: Any) -> ma.Decimal:
    """An amount in an answer: a JSON number of major units."""
    return ma.Decimal(metadata={"type": "number", "examples": [1000.0], **metadata})


class PaymentFailure(Answer):
    code = ma.String(
        allow_none=True,
        metadata={"description": f"One of {', '.join(sorted(FailureCode))}; more may be added."},
    )
    reason = ma.String(allow_none=True, metadata={"description": "A sentence that the customer may read."})


class TenantPayment(Answer):
    """A payment of an order."""

    id = ma.UUID()
    order_id = ma.UUID()
    status = one_of(*PaymentStatus)
    provider = ma.String(metadata={"examples": ["mpesa"]})
    amount = amount_number()
    currency = ma.String(metadata={"examples": ["KES"]})
    refunded_amount = amount_number(examples=[0.0])
    payment_url = ma.String(
        allow_none=True, metadata={"description": "Send the customer there. Null: there is no page, or no need of it any more."}
    )  # fmt: skip
    customer_id = ma.String()
    method_id = ma.String(allow_none=True, metadata={"description": "The saved method that was charged."})
    failure = ma.Nested(PaymentFailure, allow_none=True)
    created_at = Time()
    updated_at = Time()
    completed_at = Time(allow_none=True)


class FailedCheckoutDetails(Answer):
    payment = ma.Nested(TenantPayment)


class FailedCheckout(Answer):
    """The provider did not take it. The payment has failed; the order is open."""

    error = ma.String(metadata={"description": "One sentence, the failure's reason."})
    details = ma.Nested(FailedCheckoutDetails)


class OrderItem(Answer):
    name = ma.String()
    quantity = ma.Integer()
    unit_price = amount_number(type=["number", "null"])
    sku = ma.String(allow_none=True)


class Order(Answer):
    optional = frozenset({"payment"})

    id = ma.UUID()
    customer_id = ma.UUID()
    amount = amount_number()
    currency = ma.String(metadata={"examples": ["KES"]})
    status = one_of(*OrderStatus)
    items = ma.List(ma.Nested(OrderItem))
    reference = ma.String(allow_none=True)
    description = ma.String(allow_none=True)
    created_at = Time()
    cancelled_at = Time(allow_none=True)
    payment = ma.Nested(
        TenantPayment,
        allow_none=True,
        metadata={
            "description": "The one that is alive or has collected, else the latest; null: none. Not in lists."
        },
    )


class OrderList(Answer):
    count = ma.Integer(metadata={"description": "Of this page."})
    results = ma.List(ma.Nested(Order))
    next_cursor = ma.UUID(allow_none=True)
