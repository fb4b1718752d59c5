"""Bodies of the tenant's request log."""

from __future__ import annotations

from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Answer, Time
from app.http.pagination import MAX_CURSOR, MAX_LIMIT
from app.http.schema import Schema


class RequestLogQuery(Schema):
    status = fields.Choice("2xx", "3xx", "4xx", "5xx")
    method = fields.Choice("GET", "POST", "PUT", "PATCH", "DELETE")
    route = fields.Text(
        max_length=200, metadata={"description": "As it is listed.", "examples": ["/v1/payments"]}
    )
    key_id = ma.UUID(metadata={"description": "An API key's id."})
    request_id = fields.Text(max_length=128)
    object_id = fields.Text(max_length=64, metadata={"examples": ["pay_a1b2c3d4e5f6789012345678"]})
    idempotency_key = fields.Text(max_length=255)
    limit = fields.QueryNumber(minimum=1, maximum=MAX_LIMIT)
    cursor = fields.Text(
        max_length=MAX_CURSOR,
        metadata={"description": "`next_cursor` of the page before, with the same filters."},
    )


class LoggedRequest(Answer):
    """A request of the tenant's. `is_replay`: it was answered with the stored answer of its `Idempotency-Key`."""

    id = ma.UUID()
    created_at = Time()
    request_id = ma.String()
    method = ma.String()
    route = ma.String()
    path = ma.String()
    status = ma.Integer()
    duration_ms = ma.Integer()
    key_id = ma.UUID(allow_none=True)
    user_id = ma.String(allow_none=True)
    is_replay = ma.Boolean()
    object_id = ma.String(allow_none=True)
    error_code = ma.String(allow_none=True)
    address = ma.String(allow_none=True)


class LoggedRequests(Answer):
    results = ma.List(ma.Nested(LoggedRequest))
    next_cursor = ma.String(allow_none=True)


class LoggedRequestDetail(LoggedRequest):
    """With what is kept of the bodies, as JSON text: at most 4,096 characters, without what is secret or personal."""

    request = ma.String(allow_none=True)
    answer = ma.String(allow_none=True)
