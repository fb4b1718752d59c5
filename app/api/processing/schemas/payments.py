"""Bodies of payments and refunds of the Processing API."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

import marshmallow as ma
from marshmallow import ValidationError

from app.api.processing.amounts import LIMITS, PAYMENT_METHODS
from app.api.processing.coded import Coded
from app.api.processing.schemas import fields
from app.api.processing.schemas.metadata import Metadata
from app.errors import InvalidAmount, InvalidRequest
from app.http.answers import Answer, one_of
from app.money import Money
from app.services.identity import emails

MAX_DESCRIPTION: Final = 500
"""Characters."""

MAX_PAGE: Final = 100_000
MAX_PER_PAGE: Final = 100

REASONS: Final = (
    "requested_by_customer",
    "duplicate",
    "fraudulent",
    "product_not_received",
    "product_unacceptable",
    "other",
)
STATUSES: Final = (
    "pending",
    "processing",
    "completed",
    "partially_refunded",
    "refunded",
    "reversed",
    "failed",
    "cancelled",
)


class Amount(fields.Field):
    """A JSON number above zero, in major units."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "number", "exclusiveMinimum": 0, **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int | Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.refusal("invalid_type", "must be a number.")
        if value <= 0:
            raise self.refusal("invalid_value", "must be greater than zero.")
        return value


class Currency(fields.Field):
    """One of LIMITS, in any case."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "string", "enum": list(LIMITS), **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise self.refusal("invalid_type", "must be a string.")
        if value.upper() not in LIMITS:
            raise ValidationError(Coded("invalid_value", f"'{value[:10]}' is not a supported currency."))
        return value.upper()


class Email(fields.Text):
    """An e-mail address, kept as it is written."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=emails.MAX_LENGTH, **kwargs)
        self.metadata = {"format": "email", **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            emails.normal(text)
        except InvalidRequest:
            raise self.refusal("invalid_format", "must be a valid e-mail address.") from None
        if text != text.strip():
            raise self.refusal("invalid_format", "must be a valid e-mail address.")
        return text


class ProcessingPaymentRequest(fields.BodySchema):
    examples: ClassVar = {
        "a card payment": {
            "amount": 49.99,
            "currency": "USD",
            "description": "Order #12345 - Premium Widget",
            "customer_email": "customer@example.com",
            "payment_method": "card",
            "metadata": {"order_id": "12345", "sku": "WIDGET-PRO-001"},
        }
    }

    amount = Amount(
        required=True, metadata={"description": "Major units, with at most the currency's decimals."}
    )
    currency = Currency(required=True)
    description = fields.Text(required=True, max_length=MAX_DESCRIPTION)
    customer_email = Email(required=True)
    payment_method = fields.Choice(*PAYMENT_METHODS, load_default="card")
    metadata = Metadata()

    @ma.validates_schema(skip_on_field_errors=False)
    def _require_amount_within_limits(self, data: Mapping[str, Any], **_: Any) -> None:
        """Once both are known: what an amount may be depends on the currency."""
        if "amount" in data and "currency" in data:
            refused = _refusal(data["amount"], data["currency"])
            if refused is not None:
                raise ValidationError({"amount": [refused]})


def _refusal(amount: int | Decimal, currency: str) -> Coded | None:
    least, greatest = LIMITS[currency]
    if amount > Decimal(str(greatest)):
        return Coded("amount_too_large", f"The maximum amount for {currency} is {greatest}.")
    if amount < Decimal(str(least)):
        return Coded("amount_too_small", f"The minimum amount for {currency} is {least}.")
    try:
        Money.parse(amount, currency)
    except InvalidAmount as error:
        return Coded("invalid_value", error.message)
    return None


class ProcessingRefundRequest(fields.Schema):
    examples: ClassVar = {"a part": {"amount": 25.00, "reason": "requested_by_customer"}}

    amount = Amount(metadata={"description": "Default: all that is left."})
    reason = fields.Choice(*REASONS)


class ProcessingPaymentQuery(fields.Schema):
    page = fields.QueryNumber(minimum=1, maximum=MAX_PAGE, load_default=1)
    per_page = fields.QueryNumber(minimum=1, maximum=MAX_PER_PAGE, load_default=10)
    status = ma.fields.String(
        metadata={"description": "An unknown one finds nothing.", "enum": list(STATUSES)}
    )
    currency = ma.fields.String(metadata={"description": "An unknown one finds nothing."})


class ProcessingPayment(Answer):
    """A payment. `failure_reason`: why it failed, in a word."""

    id = ma.fields.String(metadata={"examples": ["pay_a1b2c3d4e5f6789012345678"]})
    object = one_of("payment")
    amount = ma.fields.Float()
    currency = ma.fields.String()
    description = ma.fields.String(allow_none=True)
    customer_email = ma.fields.String(allow_none=True)
    payment_method = one_of(*PAYMENT_METHODS)
    metadata = ma.fields.Dict()
    status = one_of(*STATUSES)
    created_at = ma.fields.String(metadata={"format": "date-time"})
    updated_at = ma.fields.String(metadata={"format": "date-time"})
    idempotency_key = ma.fields.String(allow_none=True)
    failure_reason = ma.fields.String(allow_none=True, metadata={"examples": ["card_declined"]})
    refunded_amount = ma.fields.Float()
    livemode = ma.fields.Boolean()


class ProcessingStatus(Answer):
    id = ma.fields.String()
    status = one_of(*STATUSES)
    failure_reason = ma.fields.String(allow_none=True)
    updated_at = ma.fields.String(metadata={"format": "date-time"})


class ProcessingPagination(Answer):
    page = ma.fields.Integer()
    per_page = ma.fields.Integer()
    total = ma.fields.Integer()
    total_pages = ma.fields.Integer(metadata={"description": "At least 1."})
    has_more = ma.fields.Boolean()


class ProcessingPayments(Answer):
    object = one_of("list")
    data = ma.fields.List(ma.fields.Nested(ProcessingPayment))
    pagination = ma.fields.Nested(ProcessingPagination)


class ProcessingRefund(Answer):
    """A refund. `status` is `processing` until the provider has said what became of it."""

    id = ma.fields.String(metadata={"examples": ["ref_a1b2c3d4e5f6789012345678"]})
    object = one_of("refund")
    payment_id = ma.fields.String()
    amount = ma.fields.Float()
    reason = ma.fields.String(allow_none=True)
    status = one_of("processing", "completed", "failed")
    created_at = ma.fields.String(metadata={"format": "date-time"})
    updated_at = ma.fields.String(metadata={"format": "date-time"})
    failure_reason = ma.fields.String(allow_none=True)
