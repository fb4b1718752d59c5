"""Bodies of payments through providers."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, post_load, validates_schema
from marshmallow import fields as ma

from app.api.gateway.contact_fields import Email, Phone, PositiveAmount, ProviderName, WebAddress, e164
from app.errors import InvalidAmount, UnsupportedCurrency
from app.http import fields
from app.http.schema import Schema
from app.money import Money

_STATUSES = (
    "pending", "processing", "completed", "partially_refunded", "refunded", "reversed", "failed", "cancelled",
)  # fmt: skip


class CustomerRequest(Schema):
    id = fields.Text(min_length=0, metadata={"description": "Yours; lists can be filtered by it."})
    phone = Phone(required=True)
    email = Email()
    name = fields.Text(min_length=0)


class InitializeRequest(Schema):
    provider = ProviderName(required=True)
    amount = PositiveAmount("Amount must be greater than 0", required=True)
    currency = fields.Currency(required=True)
    customer = ma.Nested(CustomerRequest, required=True, error_messages=fields.MESSAGES)
    metadata = fields.JsonObject()
    return_url = WebAddress(metadata={"description": "Where the customer goes after a payment page."})

    @validates_schema(skip_on_field_errors=True)
    def _check_together(self, data: dict[str, Any], **_: Any) -> None:
        """The amount and the phone mean something only with the currency."""
        found: dict[str, Any] = {}
        try:
            Money.parse(data["amount"], data["currency"])
        except (InvalidAmount, UnsupportedCurrency) as error:
            found[error.field or "amount"] = [error.message]
        try:
            e164(data["customer"]["phone"], data["currency"])
        except ValidationError as error:
            found["customer"] = {"phone": error.messages}
        if found:
            raise ValidationError(found)

    @post_load
    def _in_one_spelling(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """So that a retry that writes 1000 as "1000.00" or the phone with spaces is the same request."""
        amount = Money.parse(data["amount"], data["currency"])
        customer = data["customer"] | {"phone": e164(data["customer"]["phone"], data["currency"])}
        return data | {"amount": str(amount), "customer": customer}


class RefundRequest(Schema):
    amount = PositiveAmount(
        "Refund amount must be greater than 0", metadata={"description": "Default: all that is left."}
    )
    reason = fields.Text(min_length=0)


class Nothing(Schema):
    """A body that may be absent, and holds nothing."""


class CustomerAnswer(Schema):
    id = ma.String(allow_none=True)
    phone = ma.String(allow_none=True)
    email = ma.String(allow_none=True)
    name = ma.String(allow_none=True)


class Transaction(Schema):
    id = ma.UUID()
    idempotency_key = ma.String()
    provider = ma.String()
    provider_transaction_id = ma.String(allow_none=True)
    amount = ma.String(metadata={"examples": ["1000.00"]})
    currency = ma.String()
    status = ma.String(metadata={"enum": list(_STATUSES)})
    customer = ma.Nested(CustomerAnswer)
    payment_method = ma.String(metadata={"description": "The provider as you asked for it."})
    metadata = ma.Dict(allow_none=True)
    provider_response = ma.Dict(allow_none=True)
    payment_url = ma.String(allow_none=True, metadata={"description": "Send the customer there."})
    created_at = ma.String()
    updated_at = ma.String()
    completed_at = ma.String(allow_none=True)


class InitializedTransaction(Transaction):
    realtime_token = ma.String(metadata={"description": "Lets a browser watch this payment over Socket.IO."})


class TransactionAnswer(Schema):
    success = ma.Boolean()
    data = ma.Nested(Transaction)


class InitializedAnswer(Schema):
    success = ma.Boolean()
    data = ma.Nested(InitializedTransaction)


class RefundListAnswer(Schema):
    success = ma.Boolean()
    data = ma.List(ma.Dict())


class ProviderListAnswer(Schema):
    success = ma.Boolean()
    data = ma.List(
        ma.Dict(), metadata={"description": "name, title, environment, currencies, capabilities, needs."}
    )


class PaymentQuery(Schema):
    provider = fields.Text(max_length=32)
    status = fields.Text(max_length=32)
    customer_id = fields.Text()
    page = fields.QueryNumber(minimum=1, maximum=1_000_000)
    per_page = fields.QueryNumber(
        minimum=1, maximum=999_999_999, metadata={"description": "Default 20; above 100 is 100."}
    )
    limit = fields.QueryNumber(minimum=1, maximum=999_999_999, metadata={"description": "Same as per_page."})
    offset = fields.QueryNumber(minimum=0, maximum=100_000_000, metadata={"description": "Instead of page."})
    cursor = fields.Text(
        max_length=512, metadata={"description": "`next_cursor` of the page before, instead of page."}
    )


class Pagination(Schema):
    page = ma.Integer(allow_none=True, metadata={"description": "null when paging by cursor."})
    per_page = ma.Integer()
    total = ma.Integer(metadata={"description": "Exact up to 10,000."})
    pages = ma.Integer()
    has_next = ma.Boolean()
    has_prev = ma.Boolean()
    next_cursor = ma.String(allow_none=True)


class PaymentPage(Schema):
    items = ma.List(ma.Nested(Transaction))
    pagination = ma.Nested(Pagination)


class PaymentList(Schema):
    success = ma.Boolean()
    data = ma.Nested(PaymentPage)
