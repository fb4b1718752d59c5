"""Bodies of identity verification."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar, Final

from flask_smorest.fields import Upload
from marshmallow import ValidationError, validate
from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Amount, Answer, Time, one_of
from app.http.schema import Schema
from app.models.kyc import KycStatus as RequestStatus

NOT_STARTED: Final = "not_started"
"""The status of a user without a request."""

_STATUSES: Final = (NOT_STARTED, *RequestStatus)
_WORD: Final = "[A-Za-z][A-Za-z0-9_-]*"
_KIND: Final = {"examples": ["passport", "drivers_license", "national_id"]}


class Day(fields.Text):
    """A date of the calendar as `YYYY-MM-DD`, kept as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=10, pattern=r"\d{4}-\d{2}-\d{2}", **kwargs)
        self.metadata = {"format": "date", **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            date.fromisoformat(text)
        except ValueError:
            raise ValidationError("This is not a date of the calendar.") from None
        return text


class KycSubmission(Schema):
    examples: ClassVar = {
        "a passport": {
            "first_name": "Dana",
            "last_name": "Okafor",
            "date_of_birth": "1990-01-31",
            "ssn": "123-45-6789",
            "address": {
                "street": "123 Main St",
                "city": "New York",
                "state": "NY",
                "postal_code": "10001",
                "country": "US",
            },
            "document_type": "passport",
            "document_number": "P1234567",
            "document_expiry": "2035-12-31",
        }
    }

    first_name = fields.Text(required=True, max_length=100)
    last_name = fields.Text(required=True, max_length=100)
    date_of_birth = Day(required=True, metadata={"examples": ["1990-01-31"]})
    ssn = fields.Text(
        allow_none=True, max_length=32, metadata={"description": "Social security or tax number."}
    )
    address = ma.Dict(
        keys=fields.Text(max_length=40),
        values=fields.Text(allow_none=True, min_length=0, max_length=255),
        required=True,
        validate=validate.Length(min=1, max=20, error="This must have 1 to 20 lines."),
        metadata={"description": "Lines of text by name: street, city, state, postal_code, country …"},
    )
    document_type = fields.Text(required=True, max_length=40, pattern=_WORD, metadata=_KIND)
    document_number = fields.Text(required=True, max_length=64)
    document_expiry = Day(allow_none=True)


class DocumentForm(Schema):
    document_type = fields.Text(required=True, max_length=40, pattern=_WORD, metadata=_KIND)


class DocumentFiles(Schema):
    document = Upload(
        required=True, metadata={"description": "JPG, PNG or PDF by its content, at most 5 MB."}
    )


class KycRequestFacts(Answer):
    request_id = ma.String(metadata={"examples": ["kyc_req_0195f3a0b1c27d8e9f00112233445566"]})
    status = one_of(*_STATUSES)
    submitted_at = Time()
    message = ma.String()
    next_steps = ma.List(ma.String())


class DocumentAnswer(Answer):
    document_id = ma.String(metadata={"examples": ["kyc_doc_0195f3a0b1c27d8e9f00112233445566"]})
    request_id = ma.String()
    document_type = ma.String()
    media_type = ma.String(metadata={"examples": ["image/png"]})
    size = ma.Integer(metadata={"description": "Bytes."})
    status = one_of(*_STATUSES, description="The request's status now.")
    uploaded_at = Time()
    message = ma.String()


class KycLimits(Answer):
    daily_transaction = Amount(metadata={"examples": ["10000.00"]})
    monthly_transaction = Amount(metadata={"examples": ["50000.00"]})
    currency = one_of("USD")


class KycStatus(Answer):
    status = one_of(*_STATUSES)
    request_id = ma.String(allow_none=True)
    submitted_at = Time(allow_none=True)
    verified_at = Time(allow_none=True)
    verification_level = one_of("tier_0", "tier_1", "tier_2", "tier_3")
    limits = ma.Nested(KycLimits)
    rejection_reason = ma.String(allow_none=True)
    next_steps = ma.List(ma.String())
