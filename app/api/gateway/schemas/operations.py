"""Bodies and queries of operators' routes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError
from marshmallow import fields as ma

from app.http import fields
from app.http.answers import Amount, Answer, Time, one_of
from app.http.schema import Schema
from app.models.provider_event import ProviderEventState


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
    state = fields.Choice(*ProviderEventState)
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
    examples: ClassVar = {"one provider": {"provider": "mpesa"}, "all": {}}

    provider = fields.Text(max_length=32, metadata={"description": "Only this one; default: all."})


class Event(Answer):
    """A callback of a provider, as it was stored."""

    id = ma.UUID()
    provider = ma.String()
    provider_event_id = ma.String()
    event_type = ma.String()
    kind = ma.String()
    is_verified = ma.Boolean(metadata={"description": "Whether its signature was good."})
    state = one_of(*ProviderEventState)
    result = ma.String(allow_none=True)
    payment_id = ma.UUID(allow_none=True)
    reference = ma.String(allow_none=True)
    provider_reference = ma.String(allow_none=True)
    repeats = ma.Integer()
    received_at = Time()
    processed_at = Time(allow_none=True)


class EventDetail(Event):
    method = ma.String()
    query = ma.Dict()
    headers = ma.Dict()
    body = ma.String(metadata={"description": "Text, or base64 when `body_encoding` says so."})
    body_encoding = one_of("utf-8", "base64")


class EventAnswer(Answer):
    success = ma.Boolean()
    data = ma.Nested(EventDetail)


class EventPage(Answer):
    items = ma.List(ma.Nested(Event))
    next_cursor = ma.UUID(allow_none=True)


class EventList(Answer):
    success = ma.Boolean()
    data = ma.Nested(EventPage)


class AuditEntry(Answer):
    id = ma.String(metadata={"examples": ["evt_0123456789abcdef01234567"]})
    sequence = ma.Integer()
    event_type = ma.String(metadata={"examples": ["payment.completed"]})
    object_id = ma.String()
    tenant_id = ma.UUID(allow_none=True)
    actor = ma.String(allow_none=True)
    address = ma.String(allow_none=True)
    event_data = ma.Dict()
    created_at = Time()


class AuditPage(Answer):
    items = ma.List(ma.Nested(AuditEntry))
    next_before = ma.Integer(allow_none=True)


class AuditList(Answer):
    success = ma.Boolean()
    data = ma.Nested(AuditPage)


def _counts(description: str) -> ma.Dict:
    return ma.Dict(keys=ma.String(), values=ma.Integer(), metadata={"description": description})


class WaitingEvents(Answer):
    count = ma.Integer()
    oldest_received_at = Time(allow_none=True)


class DeadEvents(Answer):
    count = ma.Integer()
    by_provider = _counts("Provider → dead letters.")
    jobs = ma.Integer()


class WebhookStatistics(Answer):
    hours = ma.Integer()
    total = ma.Integer()
    repeats = ma.Integer()
    unverified = ma.Integer()
    by_provider = _counts("Provider → callbacks.")
    by_kind = _counts("Kind → callbacks.")
    by_state = _counts("State → callbacks.")
    waiting = ma.Nested(WaitingEvents)
    dead_letters = ma.Nested(DeadEvents)


class WebhookStatisticsAnswer(Answer):
    success = ma.Boolean()
    data = ma.Nested(WebhookStatistics)


class PaymentCounts(Answer):
    total = ma.Integer()
    by_status = _counts("Status → payments.")
    by_provider = _counts("Provider → payments.")
    by_day = _counts("Day (UTC) → payments.")


class CurrencySums(Answer):
    collected = Amount()
    refunded = Amount()
    fees = Amount()


class DeadLetters(Answer):
    jobs = _counts("Kind → jobs.")
    webhook_events = ma.Integer()


class Statistics(Answer):
    days = ma.Integer()
    payments = ma.Nested(PaymentCounts)
    amounts = ma.Dict(
        keys=ma.String(), values=ma.Nested(CurrencySums), metadata={"description": "Currency → sums."}
    )
    open_attempts = _counts("State → attempts that are open now.")
    open_refunds = _counts("State → refunds that are open now.")
    reviews = _counts("Reason → open reviews.")
    dead_letters = ma.Nested(DeadLetters)


class StatisticsAnswer(Answer):
    success = ma.Boolean()
    data = ma.Nested(Statistics)


class PaymentInReview(Answer):
    payment_id = ma.UUID()
    reason = ma.String()
    provider = ma.String()


class Reconciliation(Answer):
    checked = ma.Integer(metadata={"description": "Open payments that providers were asked about."})
    not_checked = ma.Integer(metadata={"description": "Those for which the time of a request was too short."})
    refunds_checked = ma.Integer()
    payouts_checked = ma.Integer()
    jobs_restarted = ma.Integer()
    outcomes = _counts("What became of them → how many.")
    in_review = ma.List(ma.Nested(PaymentInReview))
    ledger_findings = ma.List(ma.String())


class ReconciliationAnswer(Answer):
    success = ma.Boolean()
    data = ma.Nested(Reconciliation)
