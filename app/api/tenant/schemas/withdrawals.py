"""Bodies and queries of withdrawals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import marshmallow as ma_base
from marshmallow import ValidationError
from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Answer, Time, one_of
from app.http.pagination import MAX_CURSOR
from app.http.schema import Schema
from app.models.withdrawal import WithdrawalState
from app.providers.base import FailureCode, PayoutMethod

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 100
MAX_NOTES: Final = 500
MAX_REASON: Final = 200
MAX_DETAILS: Final = 10
"""Names in method_details that are read at all."""

_METHODS: Final = tuple(method.value for method in PayoutMethod)


class Details(ma_base.fields.Field[Any]):
    """The details of a destination: an object, which the service judges by its method."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)
        self.metadata = {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "mpesa: phone_number. till: till_number. bank_transfer: account_number, bank_code, account_name.",
            "examples": [{"phone_number": "254712345678"}],
            **self.metadata,
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > MAX_DETAILS:
            raise ValidationError(f"This must be a JSON object of at most {MAX_DETAILS} members.")
        return value


class OptionsQuery(Schema):
    currency = fields.Currency(metadata={"description": "ISO 4217; default: the tenant's."})


class InitiateRequest(Schema):
    """Nothing is required here: document 002 has one sentence for whatever is missing."""

    examples: ClassVar = {
        "M-Pesa": {
            "amount": 1000.00,
            "method_type": "mpesa",
            "method_details": {"phone_number": "254712345678"},
            "notes": "Monthly withdrawal",
        },
        "till": {"amount": 1000.00, "method_type": "till", "method_details": {"till_number": "123456"}},
        "bank": {
            "amount": 1000.00,
            "method_type": "bank_transfer",
            "method_details": {
                "account_number": "1234567890",
                "bank_code": "063",
                "account_name": "Business Account",
            },
        },
    }

    amount = fields.Amount()
    method_type = fields.Text(allow_none=True, max_length=50, min_length=0, metadata={"enum": list(_METHODS)})
    method_details = Details()
    notes = fields.FreeText(allow_none=True, max_length=MAX_NOTES, min_length=0)
    currency = fields.Currency(metadata={"description": "ISO 4217; default: the tenant's."})


class CancelRequest(Schema):
    examples: ClassVar = {"a reason": {"reason": "Changed mind"}}

    reason = fields.FreeText(allow_none=True, max_length=MAX_REASON, min_length=0)


class PayoutMethodRequest(Schema):
    examples: ClassVar = {
        "M-Pesa": {"method_type": "mpesa", "method_details": {"phone_number": "254712345678"}}
    }

    method_type = fields.Text(allow_none=True, max_length=50, min_length=0, metadata={"enum": list(_METHODS)})
    method_details = Details()


class Statuses(ma_base.fields.Field[Any]):
    """One status, or several with commas between them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        words = "|".join(WithdrawalState)
        self.metadata = {
            "type": "string",
            "pattern": f"^({words})(,({words}))*$",
            "examples": ["pending"],
            **self.metadata,
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[WithdrawalState, ...]:
        words = value.split(",") if isinstance(value, str) else []
        if not words or any(word not in list(WithdrawalState) for word in words):
            raise ValidationError(f"This must be one of {', '.join(WithdrawalState)}.")
        return tuple(WithdrawalState(word) for word in dict.fromkeys(words))


class ListQuery(Schema):
    status = Statuses()
    limit = fields.QueryNumber(
        minimum=1,
        maximum=10**9 - 1,
        load_default=DEFAULT_LIMIT,
        metadata={"description": f"At most {MAX_LIMIT}; a larger number means that."},
    )
    cursor = fields.Text(max_length=MAX_CURSOR, metadata={"description": "`next_cursor` of the page before."})


def number(**metadata: Any) -> ma.Float:
    """An amount in an answer: major units, a JSON number."""
    return ma.Float(metadata={"examples": [1000.0], **metadata})


class ConfiguredMethod(Answer):
    method_type = one_of(*_METHODS)
    details = ma.Dict(keys=ma.String(), values=ma.String())


class OptionsAnswer(Answer):
    available_methods = ma.List(one_of(*_METHODS))
    configured_method = ma.Nested(
        ConfiguredMethod, allow_none=True, metadata={"description": "Where you are paid out to by default."}
    )
    minimum_amounts = ma.Dict(keys=ma.String(), values=number())
    fees = ma.Dict(
        keys=ma.String(), values=number(), metadata={"description": "Of the smallest amount of each method."}
    )
    wallet_balance = number(description="What is held for open withdrawals and refunds included.")
    available_balance = number(description="What can be withdrawn now.")
    currency = ma.String()


class InitiatedAnswer(Answer):
    message = ma.String()
    transaction_id = ma.UUID()
    status = one_of("pending")
    amount = number(description="Gross: what leaves the wallet.")
    fee = number()
    net_amount = number(description="What the destination gets.")
    currency = ma.String()
    requires_approval = ma.Boolean()
    required_approvals = ma.Integer()


class WithdrawalAnswer(Answer):
    id = ma.UUID()
    amount = number()
    fee = number()
    net_amount = number()
    currency = ma.String()
    status = one_of(*WithdrawalState)
    method_type = one_of(*_METHODS)
    initiated_by = ma.String()
    approved_by = ma.String(allow_none=True)
    canceled_by = ma.String(allow_none=True)
    failure_code = ma.String(allow_none=True, metadata={"enum": [*FailureCode, None]})
    failure_reason = ma.String(allow_none=True)
    created_at = Time()
    approved_at = Time(allow_none=True)
    completed_at = Time(allow_none=True)
    notes = ma.String(allow_none=True)


class WithdrawalListAnswer(Answer):
    count = ma.Integer(metadata={"description": "Of the whole list, not of this page."})
    results = ma.List(ma.Nested(WithdrawalAnswer))
    next_cursor = ma.String(allow_none=True)


class ApprovalAnswer(Answer):
    user_id = ma.String()
    approved_at = Time()


class WithdrawalDetailAnswer(WithdrawalAnswer):
    method_details = ma.Dict(
        keys=ma.String(),
        values=ma.String(),
        metadata={"description": "In full for who may approve withdrawals, masked for others."},
    )
    destination_id = ma.UUID()
    cancel_reason = ma.String(allow_none=True)
    required_approvals = ma.Integer()
    approvals = ma.List(ma.Nested(ApprovalAnswer))
    provider = ma.String(allow_none=True)
    receipt = ma.String(allow_none=True)


class ApprovedAnswer(Answer):
    success = ma.Boolean()
    message = ma.String()
    transaction_id = ma.UUID()
    status = one_of("pending", "processing", "completed")
    amount = number()
    net_amount = number()
    fee = number()
    currency = ma.String()
    approvals = ma.Integer()
    required_approvals = ma.Integer()
    provider_response = ma.Dict(
        allow_none=True,
        metadata={"description": "The provider and its ids. Null while more approvals are needed."},
    )


class CanceledAnswer(Answer):
    message = ma.String()
    transaction_id = ma.UUID()
    status = one_of("canceled")


class DestinationAnswer(Answer):
    id = ma.UUID()
    method_type = one_of(*_METHODS)
    details = ma.Dict(keys=ma.String(), values=ma.String(), metadata={"description": "Masked."})
    added_by = ma.String(allow_none=True)
    added_at = Time()
    confirmed_by = ma.String(allow_none=True)
    confirmed_at = Time(allow_none=True)
    needs_confirmation = ma.Boolean(
        metadata={
            "description": "It was added lately: its first use needs three different people, and it is not confirmed yet."
        }
    )
    is_default = ma.Boolean()


class DestinationListAnswer(Answer):
    results = ma.List(ma.Nested(DestinationAnswer))
