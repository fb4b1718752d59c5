"""The query of `GET /payments`: how a list is filtered and paged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs

import phonenumbers
from marshmallow import ValidationError, pre_load, validates_schema

from app.api.gateway.schemas.operations import Id
from app.http import fields
from app.http.pagination import MAX_CURSOR, filters_of
from app.http.payment_fields import REGIONS
from app.http.schema import Schema

_COUNTRIES: Final = (None, *sorted(set(REGIONS.values())))

_DATE: Final = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME: Final = re.compile(
    r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


class PhoneNumbers(fields.Text):
    """The E.164 numbers that a text may mean: a national number is one of every country with a provider."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, pattern=r"[+ ]?[0-9][0-9 -]*", **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        # In a query a plus that is not written %2B reads as a space.
        is_international = text[0] in "+ "
        digits = re.sub(r"\D", "", text)
        found = {
            number
            for country in (_COUNTRIES if not is_international else (None,))
            if (number := _e164(digits, country)) is not None
        }
        if not found:
            raise ValidationError("This must be a phone number, such as +254712345678 or 0712345678.")
        return tuple(sorted(found))


def _e164(digits: str, country: str | None) -> str | None:
    try:
        number = phonenumbers.parse(digits if country else f"+{digits}", country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class Moment(fields.Text):
    """A date, or a time with `Z` or its offset from UTC; as a time in UTC.

    is_end: of a date it is the end, so that the day itself is included.
    """

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        super().__init__(max_length=32, **kwargs)
        self.is_end = is_end
        self.metadata = {"examples": ["2026-01-31", "2026-01-31T12:00:00Z"], **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        # In a query a plus that is not written %2B reads as a space.
        text = super()._deserialize(value, attr, data, **kwargs).replace(" ", "+")
        with suppress(ValueError):  # 30 February
            if _DATE.fullmatch(text):
                day = datetime.fromisoformat(text).replace(tzinfo=UTC)
                return day + timedelta(days=1) if self.is_end else day
            if _TIME.fullmatch(text):
                return datetime.fromisoformat(text).astimezone(UTC)
        raise ValidationError(
            "This must be a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z, of the years 2000 to 2999."
        )


class DecimalNumber(fields.Text):
    """Digits, of which some may follow a point."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, pattern=r"[0-9]+(\.[0-9]+)?", **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        return Decimal(super()._deserialize(value, attr, data, **kwargs))


class KeyAndValue(fields.Text):
    """`key=value`, as a pair. The first `=` separates them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=512, pattern=r"[^=]+=.+", **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        key, _, wanted = text.partition("=")
        return key, wanted


class PaymentQuery(Schema):
    provider = fields.Text(max_length=32, metadata={"examples": ["mpesa"]})
    status = fields.Text(max_length=32, metadata={"examples": ["completed"]})
    customer_id = fields.Text(metadata={"examples": ["customer-7"]})
    phone = PhoneNumbers(
        metadata={"description": "The customer's, in any usual spelling.", "examples": ["+254712345678"]}
    )
    email = fields.Text(metadata={"description": "The customer's, in any case."})
    receipt = fields.Text(metadata={"description": "The provider's receipt.", "examples": ["TKL81HX2PQ"]})
    reference = fields.Text(
        metadata={
            "description": "Any name of the payment: your `reference`, its Idempotency-Key, the reference or short reference the provider "
            "and the payer see, the provider's own id, or one of a refund's."
        }
    )
    amount = DecimalNumber(metadata={"description": "In major units.", "examples": ["1000.00"]})
    currency = fields.Currency()
    created_from = Moment(metadata={"description": "A date (UTC) or a time."})
    created_to = Moment(
        is_end=True, metadata={"description": "A date (UTC), which is included, or a time, which is not."}
    )
    metadata = fields.ListOf(
        KeyAndValue(),
        maximum=5,
        metadata={
            "description": "`key=value`, of the payment's metadata; may be given up to five times.",
            "examples": [["order_id=ORD-12345"]],
        },
    )
    tenant_id = Id(metadata={"description": "Only for operators: the payments of this merchant."})
    page = fields.QueryNumber(minimum=1, maximum=1_000_000, metadata={"examples": [1]})
    per_page = fields.QueryNumber(
        minimum=1,
        maximum=999_999_999,
        metadata={"description": "Default 20; above 100 is 100.", "examples": [20]},
    )
    limit = fields.QueryNumber(minimum=1, maximum=999_999_999, metadata={"description": "Same as per_page."})
    offset = fields.QueryNumber(minimum=0, maximum=100_000_000, metadata={"description": "Instead of page."})
    cursor = fields.Text(
        max_length=MAX_CURSOR,
        metadata={
            "description": "`next_cursor` of the page before, instead of page. It keeps the filters of its list."
        },
    )

    @pre_load
    def _with_the_cursors_filters(self, data: Any, **_: Any) -> dict[str, Any]:
        """`data` reads the request's query (webargs' MultiDictProxy)."""
        filters = parse_qs(filters_of(data.data), keep_blank_values=True)
        if unknown := filters.keys() - self.load_fields.keys():
            raise ValidationError({"cursor": [f"This cursor has an unknown filter: {min(unknown)}."]})
        kept = {name: found if name == "metadata" else found[0] for name, found in filters.items()}
        return {name: data[name] for name in data} | kept

    @validates_schema(skip_on_field_errors=True)
    def _check_period(self, data: dict[str, Any], **_: Any) -> None:
        if "created_from" in data and data["created_from"] >= data.get(
            "created_to", datetime.max.replace(tzinfo=UTC)
        ):
            raise ValidationError({"created_to": ["This is not after created_from."]})
