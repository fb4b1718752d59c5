"""Bodies and queries of operators' routes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError
from marshmallow import fields as ma

from app.http import fields
from app.http.schema import Schema
from app.services.callbacks.inbox import STATES


class Id(fields.Text):
    """A UUID with its dashes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=36, **kwargs)
        self.metadata = {"type": "string", "format": "uuid"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            found = uuid.UUID(text)
        except ValueError:
            found = None
        if found is None or str(found) != text.lower():
            raise ValidationError("This must be a UUID.")
        return found


class EventQuery(Schema):
    provider = fields.Text(max_length=32)
    state = fields.Choice(*STATES)
    payment_id = Id()
    cursor = Id(metadata={"description": "`next_cursor` of the page before."})
    limit = fields.QueryNumber(minimum=1, maximum=100, metadata={"description": "Default 20."})


class WebhookStatisticsQuery(Schema):
    hours = fields.QueryNumber(minimum=1, maximum=2160, metadata={"description": "Default 24."})


class AuditQuery(Schema):
    type = fields.Text(max_length=64)
    object_id = fields.Text()
    tenant_id = Id()
    before = fields.Text(
        max_length=18, pattern="[0-9]+", metadata={"description": "`next_before` of the page before."}
    )
    limit = fields.QueryNumber(minimum=1, maximum=100, metadata={"description": "Default 50."})


class StatisticsQuery(Schema):
    days = fields.QueryNumber(minimum=1, maximum=366, metadata={"description": "Default 30."})


class ReconcileRequest(Schema):
    provider = fields.Text(max_length=32, metadata={"description": "Only this one; default: all."})


class Event(Schema):
    id = ma.UUID()
    provider = ma.String()
    provider_event_id = ma.String()
    event_type = ma.String()
    kind = ma.String()
    is_verified = ma.Boolean()
    state = ma.String(metadata={"enum": list(STATES)})
    result = ma.String(allow_none=True)
    payment_id = ma.UUID(allow_none=True)
    reference = ma.String(allow_none=True)
    provider_reference = ma.String(allow_none=True)
    repeats = ma.Integer()
    received_at = ma.String()
    processed_at = ma.String(allow_none=True)


class EventDetail(Event):
    method = ma.String()
    query = ma.Dict()
    headers = ma.Dict()
    body = ma.String(metadata={"description": "Text, or base64 when `body_encoding` says so."})
    body_encoding = ma.String(metadata={"enum": ["utf-8", "base64"]})


class EventAnswer(Schema):
    success = ma.Boolean()
    data = ma.Nested(EventDetail)


class EventPage(Schema):
    items = ma.List(ma.Nested(Event))
    next_cursor = ma.UUID(allow_none=True)


class EventList(Schema):
    success = ma.Boolean()
    data = ma.Nested(EventPage)


class AuditEntry(Schema):
    id = ma.String(metadata={"examples": ["evt_0123456789abcdef01234567"]})
    sequence = ma.Integer()
    event_type = ma.String()
    object_id = ma.String()
    tenant_id = ma.UUID(allow_none=True)
    actor = ma.String(allow_none=True)
    address = ma.String(allow_none=True)
    event_data = ma.Dict()
    created_at = ma.String()


class AuditPage(Schema):
    items = ma.List(ma.Nested(AuditEntry))
    next_before = ma.Integer(allow_none=True)


class AuditList(Schema):
    success = ma.Boolean()
    data = ma.Nested(AuditPage)


class StatisticsAnswer(Schema):
    success = ma.Boolean()
    data = ma.Dict()
