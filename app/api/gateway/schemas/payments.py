"""Bodies of payments through providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from marshmallow import ValidationError, post_load
from marshmallow import fields as ma

from app.api.wallet.schemas.payments import PaymentAnswer
from app.errors import InvalidAmount, UnsupportedCurrency
from app.http import fields
from app.http.answers import Amount, Answer, OneOf, Time, one_of
from app.http.payment_fields import (
    Email,
    Phone,
    PositiveAmount,
    PrintedText,
    ProviderName,
    WebAddress,
    e164,
)
from app.http.schema import Schema
from app.models.dispute import DisputeState
from app.models.payment import PaymentStatus, RefundOrigin
from app.models.payment_review import ReviewReason
from app.money import Money
from app.providers.base import FailureCode

MAX_DESCRIPTION: Final = 200
MAX_REFERENCE: Final = 100
"""Characters of what a merchant may send."""

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "mpesa": {
        "provider": "mpesa",
        "amount": 1000.00,
        "currency": "KES",
        "customer": {"phone": "+254700000000", "email": "customer@example.com", "name": "John Doe"},
        "metadata": {"order_id": "ORD-12345"},
    },
    "stripe": {
        "provider": "stripe",
        "amount": "24.99",
        "currency": "USD",
        "customer": {"id": "customer-7", "phone": "+14155550132", "email": "customer@example.com"},
        "return_url": "https://shop.example/thank-you",
    },
}
"""The first is that of docs/api/gateway.md."""


class CustomerRequest(Schema):
    id = fields.Text(min_length=0, metadata={"description": "Yours; lists can be filtered by it."})
    phone = Phone(metadata={"description": "E.164, or national where the currency determines the country. Required where the "
                                           "provider `needs` it."})  # fmt: skip
    email = Email()
    name = fields.FreeText(min_length=0)


class InitializeRequest(Schema):
    examples = EXAMPLES

    provider = ProviderName(required=True)
    amount = PositiveAmount("Amount must be greater than 0", required=True)
    currency = fields.Currency(required=True)
    customer = ma.Nested(CustomerRequest, required=True, error_messages=fields.MESSAGES)
    metadata = fields.JsonObject()
    return_url = WebAddress(metadata={"description": "Where the customer goes after a payment page."})
    description = PrintedText(
        max_length=MAX_DESCRIPTION,
        metadata={
            "description": "What the customer reads on the provider's page, phone or statement; each provider cuts it at its "
            "own limit. Default: `metadata.order_id`.",
            "examples": ["Two shirts"],
        },
    )
    reference = PrintedText(
        max_length=MAX_REFERENCE,
        metadata={
            "description": "Yours, such as an order's number. Several payments may have the same; lists are filtered by it.",
            "examples": ["ORD-12345"],
        },
    )

    @post_load
    def _in_one_spelling(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """So that a retry that writes 1000 as "1000.00" or the phone with spaces is the same request.

        The amount and the phone mean something only with the currency.
        """
        read, found = dict(data), dict[str, Any]()
        try:
            read["amount"] = str(Money.parse(data["amount"], data["currency"]))
        except (InvalidAmount, UnsupportedCurrency) as error:
            found[error.field or "amount"] = [error.message]
        try:
            read["customer"] = _with_phone(data["customer"], data["currency"])
        except ValidationError as error:
            found["customer"] = {"phone": error.messages}
        if found:
            raise ValidationError(found)
        return read


def _with_phone(customer: dict[str, Any], currency: str) -> dict[str, Any]:
    """The customer with the phone, if there is one, in E.164. Raises ValidationError."""
    return customer | {"phone": e164(customer["phone"], currency)} if "phone" in customer else customer


class RefundRequest(Schema):
    examples: ClassVar = {
        "part": {"amount": 500.00, "reason": "Customer request"},
        "all": {"reason": "Customer request"},
    }

    amount = PositiveAmount(
        "Refund amount must be greater than 0", metadata={"description": "Default: all that is left."}
    )
    reason = fields.FreeText(min_length=0)


class CustomerAnswer(Answer):
    id = ma.String(allow_none=True)
    phone = ma.String(allow_none=True)
    email = ma.String(allow_none=True)
    name = ma.String(allow_none=True)


class ProviderFailure(Answer):
    """What the provider itself said, for the merchant's own staff."""

    code = ma.String(allow_none=True, metadata={"examples": ["2001"]})
    message = ma.String(allow_none=True, metadata={"examples": ["The initiator information is invalid."]})


def _failure_code() -> ma.String:
    return ma.String(
        allow_none=True,
        metadata={
            "description": f"Why it failed, the same for every provider: {', '.join(sorted(FailureCode))}. What failed "
            "before there were these codes has none, or the provider's. More may be added.",
            "examples": [FailureCode.INSUFFICIENT_FUNDS],
        },
    )


def _failure_reason() -> ma.String:
    return ma.String(allow_none=True, metadata={"description": "A sentence that the customer may read."})


class Transaction(Answer):
    """A payment through a provider."""

    optional = frozenset({"tenant_id"})

    id = ma.UUID()
    idempotency_key = ma.String()
    provider = ma.String(metadata={"examples": ["mpesa"]})
    provider_transaction_id = ma.String(allow_none=True)
    amount = Amount()
    currency = ma.String(metadata={"examples": ["KES"]})
    status = one_of(*PaymentStatus)
    customer = ma.Nested(CustomerAnswer)
    payment_method = ma.String(metadata={"description": "The provider as you asked for it."})
    reference = ma.String(allow_none=True, metadata={"description": "Yours.", "examples": ["ORD-12345"]})
    description = ma.String(allow_none=True, metadata={"examples": ["Two shirts"]})
    metadata = ma.Dict(allow_none=True)
    provider_response = ma.Dict(
        allow_none=True, metadata={"description": "What the provider answered, unchanged."}
    )
    payment_url = ma.String(
        allow_none=True,
        metadata={
            "description": "Send the customer there. Null when there is no page, or no need of it any more."
        },
    )
    requested_amount = Amount(
        metadata={
            "description": "What you asked for. `amount` is another where an operator accepted another amount."
        }
    )
    requested_currency = ma.String(metadata={"examples": ["KES"]})
    refunded_amount = Amount(metadata={"examples": ["0.00"]})
    failure_code = _failure_code()
    failure_reason = _failure_reason()
    provider_failure = ma.Nested(ProviderFailure, allow_none=True)
    review = ma.String(
        allow_none=True,
        metadata={
            "enum": [*ReviewReason, None],
            "description": "The most pressing reason for which an operator must review this payment; null: none.",
        },
    )
    reviews = ma.List(
        ma.String(metadata={"enum": list(ReviewReason)}),
        metadata={"description": "Every open reason, the most pressing first."},
    )
    created_at = Time()
    updated_at = Time()
    completed_at = Time(allow_none=True)
    tenant_id = ma.UUID(metadata={"description": "The merchant's; only in what operators read."})


class InitializedTransaction(Transaction):
    realtime_token = ma.String(metadata={"description": "Lets a browser watch this payment over Socket.IO."})


class TransactionAnswer(Answer):
    success = ma.Boolean()
    data = ma.Nested(Transaction)


EitherPayment: Final = {"oneOf": [TransactionAnswer, PaymentAnswer]}
"""The document has one GET /payments/{payment_id}; there are two routes, and the kind of id decides which."""


class InitializedAnswer(Answer):
    success = ma.Boolean()
    data = ma.Nested(InitializedTransaction)


class FailedTransactionAnswer(Answer):
    """The provider did not take it; `data` is the payment as it is now."""

    success = ma.Boolean()
    error = ma.String(metadata={"description": "One sentence, the `failure_reason`."})
    data = ma.Nested(Transaction)


class FailedInitializeAnswer(FailedTransactionAnswer):
    """The provider did not take it; `data` is the payment, which has failed."""

    data = ma.Nested(InitializedTransaction)


class Refund(Answer):
    id = ma.UUID()
    payment_id = ma.UUID()
    amount = Amount(metadata={"examples": ["500.00"]})
    currency = ma.String()
    reason = ma.String(allow_none=True)
    origin = one_of(*RefundOrigin, description="Made through this gateway, or in the provider's dashboard.")
    status = one_of("processing", "completed", "failed")
    provider_refund_id = ma.String(allow_none=True)
    failure_code = _failure_code()
    failure_reason = _failure_reason()
    provider_failure = ma.Nested(ProviderFailure, allow_none=True)
    created_at = Time()
    completed_at = Time(allow_none=True)


class RefundListAnswer(Answer):
    success = ma.Boolean()
    data = ma.List(ma.Nested(Refund))


class Dispute(Answer):
    id = ma.UUID()
    payment_id = ma.UUID()
    amount = Amount(metadata={"examples": ["500.00"]})
    currency = ma.String()
    status = one_of(*DisputeState, description="`inquiry`: the bank only asks, and nothing is held.")
    reason = ma.String(allow_none=True, metadata={"description": "The provider's word."})
    held = Amount(metadata={"description": "Of the amount, what is held in your balance."})
    owed = Amount(metadata={"description": "What your balance lacked when it was lost."})
    provider_dispute_id = ma.String()
    provider_status = ma.String(metadata={"description": "The provider's word."})
    opened_at = Time()
    updated_at = Time()
    closed_at = Time(allow_none=True)


class DisputeListAnswer(Answer):
    success = ma.Boolean()
    data = ma.List(ma.Nested(Dispute))


class ProviderCapabilities(Answer):
    payment_page = ma.Boolean(metadata={"description": "The customer pays on a page: see `payment_url`."})
    refunds = ma.Boolean()
    partial_refunds = ma.Boolean()
    repeated_refunds = ma.Boolean()
    cancel = ma.Boolean()
    payouts = ma.Dict(
        keys=ma.String(),
        values=ma.List(ma.String()),
        metadata={"description": "Method → the currencies it pays out in."},
    )


class Provider(Answer):
    name = ma.String(metadata={"examples": ["mpesa"]})
    title = ma.String(metadata={"examples": ["M-Pesa"]})
    environment = ma.String()
    currencies = ma.List(ma.String())
    capabilities = ma.Nested(ProviderCapabilities)
    needs = ma.List(ma.String(), metadata={"description": "Details of the customer that it requires."})


class ProviderListAnswer(Answer):
    success = ma.Boolean()
    data = ma.List(ma.Nested(Provider))


class Pagination(Answer):
    optional = frozenset({"next_cursor"})

    page = ma.Integer(allow_none=True, metadata={"description": "null when paging by cursor."})
    per_page = ma.Integer()
    total = ma.Integer(metadata={"description": "Exact up to 10,000."})
    pages = ma.Integer()
    has_next = ma.Boolean()
    has_prev = ma.Boolean()
    next_cursor = ma.String(
        allow_none=True, metadata={"description": "Of provider payments; null on the last page."}
    )


class PaymentPage(Answer):
    items = ma.List(
        OneOf(Transaction, PaymentAnswer),
        metadata={
            "description": "Payments through providers of the merchant, or wallet payments of the user."
        },
    )
    pagination = ma.Nested(Pagination)


class PaymentList(Answer):
    success = ma.Boolean()
    data = ma.Nested(PaymentPage)
