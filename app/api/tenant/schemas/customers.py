"""Bodies and queries about customers, their preferences and saved methods."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Answer, Time
from app.http.pagination import MAX_LIMIT
from app.http.payment_fields import Email, Phone, PrintedText
from app.http.schema import Schema

DEFAULT_PAGE: Final = 50

_REQUIRED: Final = "Required."


class Uuid(fields.Text):
    """A UUID with its dashes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=36, pattern=r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", **kwargs
        )
        self.metadata = {"format": "uuid", **self.metadata}


class CustomerBody(Schema):
    examples: ClassVar = {
        "a customer": {
            "name": "Jane Wanjiku",
            "email": "jane@example.com",
            "phone": "+254712345678",
            "reference": "CUST-1001",
        }
    }

    id = Uuid(
        allow_none=True,
        load_default=None,
        metadata={"description": "Your own choice of the customer's id; without one it gets a new one."},
    )
    name = PrintedText(allow_none=True, load_default=None, max_length=200)
    email = Email(allow_none=True, load_default=None)
    phone = Phone(allow_none=True, load_default=None)
    reference = PrintedText(
        allow_none=True,
        load_default=None,
        max_length=100,
        metadata={"description": "Your own number of the customer: no two of your customers have the same."},
    )


class CustomerQuery(Schema):
    limit = fields.QueryNumber(minimum=1, maximum=MAX_LIMIT, load_default=DEFAULT_PAGE)
    cursor = fields.Text(max_length=64, metadata={"description": "`next_cursor` of the page before."})


class CheckoutQuery(Schema):
    amount = fields.Text(
        max_length=40, min_length=0, load_default="", metadata={"description": f"{_REQUIRED} In major units."}
    )
    currency = fields.Currency(metadata={"description": "ISO 4217; without it the tenant's."})


class ProviderBody(Schema):
    examples: ClassVar = {"mobile money": {"provider": "mpesa"}}

    provider = fields.Text(
        allow_none=True, load_default=None, min_length=0, metadata={"description": _REQUIRED}
    )


class MethodBody(Schema):
    examples: ClassVar = {
        "mobile money": {
            "provider": "mpesa",
            "details": {"phone_number": "254712345678"},
            "set_as_default": True,
        },
        "a card": {
            "provider": "stripe",
            "details": {"payment_method_id": "pm_1Nxyz", "last4": "4242", "brand": "visa"},
        },
    }

    provider = fields.Text(
        allow_none=True, load_default=None, min_length=0, metadata={"description": _REQUIRED}
    )
    details = fields.JsonObject(
        load_default=dict,
        metadata={"description": "What the provider calls the method: see the examples."},
    )
    set_as_default = fields.Flag(load_default=False)


class CustomerFacts(Answer):
    id = ma.String(metadata={"examples": ["123e4567-e89b-12d3-a456-426614174000"]})
    name = ma.String(allow_none=True)
    email = ma.String(allow_none=True)
    phone = ma.String(allow_none=True, metadata={"description": "E.164."})
    reference = ma.String(allow_none=True)
    created_at = Time()


class CustomerList(Answer):
    count = ma.Integer(metadata={"description": "Of the results on this page."})
    results = ma.List(ma.Nested(CustomerFacts))
    next_cursor = ma.String(allow_none=True, metadata={"description": "Null on the last page."})


class MethodFacts(Answer):
    id = ma.String(metadata={"examples": ["mpesa_254712345678"]})
    provider = ma.String()
    details = ma.Dict(keys=ma.String(), values=ma.String())
    saved_at = Time()
    is_default = ma.Boolean()


class PreferencesAnswer(Answer):
    preferred_provider = ma.String(
        allow_none=True,
        metadata={"description": "The chosen one, else the default method's; null where there is neither."},
    )
    saved_methods = ma.List(ma.Nested(MethodFacts))
    available_providers = ma.List(ma.String(), metadata={"description": "Those the tenant has configured."})


class PreferencesChanged(Answer):
    message = ma.String()
    preferences = ma.Nested(PreferencesAnswer)


class CheckoutAnswer(Answer):
    preferred_provider = ma.String(
        allow_none=True, metadata={"description": "Null where it cannot take this amount."}
    )
    preferred_method = ma.Nested(MethodFacts, allow_none=True)
    available_providers = ma.List(
        ma.String(), metadata={"description": "Those that can take this amount in this currency."}
    )
    saved_methods = ma.List(ma.Nested(MethodFacts), metadata={"description": "Of available providers."})
    can_change_provider = ma.Boolean(metadata={"description": "Whether there is more than one."})
    amount = ma.Raw(metadata={"type": "number", "examples": [1000.0]})
    currency = ma.String()
