"""Bodies and queries of webhooks to merchants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

import orjson
from marshmallow import ValidationError
from marshmallow import fields as ma

from app.api.processing.coded import Coded
from app.api.processing.schemas.fields import BodySchema, Choice, Field, QueryNumber, Schema, Text
from app.card_numbers import has_card_number
from app.events.webhook_messages import CHOICES
from app.http import fields
from app.http.answers import Answer, one_of
from app.models.webhook import DeliveryState
from app.services.webhooks.addresses import MAX_URL
from app.services.webhooks.endpoints import (
    DEFAULT_OVERLAP_HOURS,
    MAX_OVERLAP_HOURS,
    MAX_SIMULATED_BYTES,
    Because,
)
from app.services.webhooks.event_waits import MAX_WAIT_S
from app.services.webhooks.reading import MAX_LISTED

DEFAULT_LISTED: Final = 20
_TOO_LARGE: Final = 2.0**63


class Events(Field):
    """Types of events, at least one; null: all of them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_none=True, **kwargs)
        self.metadata = {
            "type": "array",
            "items": {"type": "string", "enum": list(CHOICES)},
            "minItems": 1,
            "maxItems": len(CHOICES),
            "description": "The types that are sent there; left out or null: all, also those to come.",
            **self.metadata,
        }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[str]:
        if not isinstance(value, list):
            raise self.refusal("invalid_type", "must be a list of event types.")
        if not 0 < len(value) <= len(CHOICES):
            raise self.refusal("invalid_value", f"must have 1 to {len(CHOICES)} event types.")
        if unknown := [one for one in value if one not in CHOICES]:
            raise self.refusal("invalid_value", f"names no event type with {str(unknown[0])[:64]!r}.")
        return value


class Hours(Field):
    """A JSON integer from 0 to MAX_OVERLAP_HOURS."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "integer", "minimum": 0, "maximum": MAX_OVERLAP_HOURS, **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if type(value) is not int:
            raise self.refusal("invalid_type", "must be a whole number.")
        if not 0 <= value <= MAX_OVERLAP_HOURS:
            raise self.refusal("invalid_value", f"must be from 0 to {MAX_OVERLAP_HOURS}.")
        return value


class TimeField(Field):
    """ISO 8601 with an offset."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "string", "format": "date-time", **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        if not isinstance(value, str):
            raise self.refusal("invalid_type", "must be a string.")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None or not 2000 <= moment.year <= 9000:
            raise self.refusal("invalid_format", "must be a time such as 2025-01-15T10:30:00+00:00.")
        return moment


class Payload(Field):
    """A JSON object of at most MAX_SIMULATED_BYTES, without card numbers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "object", "additionalProperties": True, **self.metadata}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.refusal("invalid_type", "must be a JSON object.")
        try:
            text = orjson.dumps(value, default=_number)
        except TypeError:
            raise self.refusal("invalid_value", "holds a number that is too large.") from None
        if len(text) > MAX_SIMULATED_BYTES:
            raise self.refusal("too_long", f"must not be larger than {MAX_SIMULATED_BYTES} bytes.")
        if has_card_number(value):
            raise ValidationError(Coded("card_data_not_allowed", fields.CARD_NUMBER))
        plain: dict[str, Any] = orjson.loads(text)
        return plain


def _number(value: Decimal) -> float:
    """As it is stored and sent. Raises TypeError for one that JSON readers do not keep."""
    number = float(value)
    if abs(number) >= _TOO_LARGE:
        raise TypeError
    return number


class WebhookEndpointRequest(BodySchema):
    examples: ClassVar = {
        "two types": {
            "url": "https://example.com/webhooks/payments",
            "events": ["payment.completed", "refund.completed"],
        }
    }

    url = Text(max_length=MAX_URL, required=True, metadata={"format": "uri"})
    events = Events(load_default=None)


class WebhookEndpointChange(BodySchema):
    examples: ClassVar = {"all types": {"events": None}}

    url = Text(max_length=MAX_URL, metadata={"format": "uri"})
    events = Events()


class SecretRotation(Schema):
    examples: ClassVar = {"at once": {"overlap_hours": 0}}

    overlap_hours = Hours(
        load_default=DEFAULT_OVERLAP_HOURS,
        metadata={"description": "How long the old secret signs as well."},
    )


class ReplayRequest(Schema):
    examples: ClassVar = {"since": {"after": "2025-01-15T10:30:00+00:00"}}

    after = TimeField(metadata={"description": "Events made after it; default: 30 days ago."})
    until = TimeField(metadata={"description": "And no later than this; default: now."})


class SimulationRequest(BodySchema):
    examples: ClassVar = {
        "a payment": {
            "event_type": "payment.completed",
            "payload": {"payment": {"id": "pay_test", "amount": 99.99}},
        }
    }

    event_type = Choice(*CHOICES, required=True)
    payload = Payload(load_default=dict)


class DeliveryQuery(Schema):
    state = Choice(*DeliveryState)
    before = Text(max_length=64, metadata={"description": "The id of a delivery: those that are older."})
    limit = fields.QueryNumber(minimum=1, maximum=MAX_LISTED, load_default=DEFAULT_LISTED)


class EventQuery(Schema):
    type = Choice(*CHOICES)
    limit = QueryNumber(minimum=1, maximum=MAX_LISTED, load_default=DEFAULT_LISTED)
    after = QueryNumber(
        minimum=0,
        maximum=2**53,
        metadata={"description": "`after` of an answer: the events behind it, the oldest first."},
    )
    wait = QueryNumber(
        minimum=0,
        maximum=MAX_WAIT_S,
        load_default=0,
        metadata={"description": "With `after`: seconds to wait where there is none yet."},
    )


def _time(**kwargs: Any) -> ma.String:
    return ma.String(metadata={"format": "date-time"}, **kwargs)


class WebhookEndpointFacts(Answer):
    id = ma.String(metadata={"examples": ["we_0195f3a0b1c27d8e9f001122"]})
    object = one_of("webhook_endpoint")
    url = ma.String(metadata={"format": "uri"})
    events = ma.List(one_of(*CHOICES), allow_none=True, metadata={"description": "null: all types."})
    status = one_of("enabled", "disabled")
    disabled_because = ma.String(
        allow_none=True,
        metadata={"description": f"{', '.join(Because)}: see docs/webhooks.md."},
    )
    failing_since = _time(allow_none=True)
    previous_secret_until = _time(allow_none=True)
    created_at = _time()
    updated_at = _time()


class WebhookEndpointMade(WebhookEndpointFacts):
    secret = ma.String(metadata={"description": "`whsec_…`. Shown only here."})


class WebhookEndpoints(Answer):
    object = one_of("list")
    data = ma.List(ma.Nested(WebhookEndpointFacts))
    total = ma.Integer()


class WebhookEndpointDeleted(Answer):
    id = ma.String()
    object = one_of("webhook_endpoint")
    deleted = ma.Boolean()


class WebhookTest(Answer):
    event_id = ma.String(metadata={"description": "The `webhook-id` of the message."})
    message = ma.String()


class WebhookEvent(Answer):
    """The body of a webhook."""

    id = ma.String(metadata={"examples": ["evt_a1b2c3d4e5f6789012345678"]})
    object = one_of("event")
    type = ma.String()
    api_version = ma.String()
    created_at = _time()
    livemode = ma.Boolean()
    pending_webhooks = ma.Integer(metadata={"description": "To how many endpoints it is sent."})
    data = ma.Dict(keys=ma.String())


class WebhookEvents(Answer):
    object = one_of("list")
    data = ma.List(ma.Nested(WebhookEvent))
    has_more = ma.Boolean()
    after = ma.Integer(metadata={"description": "What to send as `after` to go on from here."})


class WebhookTarget(Answer):
    endpoint_id = ma.String()
    url = ma.String(metadata={"format": "uri"})
    signature = ma.String(metadata={"description": "`t=,v1=` of the event as of now, with its secret."})


class WebhookSimulation(Answer):
    message = ma.String()
    event = ma.Nested(WebhookEvent)
    signature = ma.String(
        allow_none=True, metadata={"description": "That of the first target; null where there is none."}
    )
    delivery_targets = ma.List(ma.Nested(WebhookTarget))


class WebhookDeliveryFacts(Answer):
    id = ma.String(metadata={"examples": ["whd_0195f3a0b1c27d8e9f001122"]})
    object = one_of("webhook_delivery")
    endpoint_id = ma.String()
    event_id = ma.String(metadata={"description": "The `webhook-id` of each attempt."})
    event_type = ma.String()
    state = one_of(*DeliveryState)
    attempts = ma.Integer()
    next_attempt_at = _time(allow_none=True)
    is_replay = ma.Boolean()
    created_at = _time()
    finished_at = _time(allow_none=True)


class WebhookDeliveries(Answer):
    object = one_of("list")
    data = ma.List(ma.Nested(WebhookDeliveryFacts))
    has_more = ma.Boolean()


class WebhookAttemptFacts(Answer):
    number = ma.Integer()
    at = _time()
    duration_ms = ma.Integer()
    address = ma.String(allow_none=True, metadata={"description": "What was connected to."})
    status = ma.Integer(allow_none=True, metadata={"description": "The HTTP status of the answer."})
    error = ma.String(allow_none=True, metadata={"description": "Why there is no status."})
    answer = ma.String(allow_none=True, metadata={"description": "The first 4,096 bytes of it."})
    is_by_hand = ma.Boolean(metadata={"description": "It was requested to be sent again."})


class WebhookDeliveryRead(WebhookDeliveryFacts):
    event = ma.Nested(WebhookEvent)
    attempt_log = ma.List(ma.Nested(WebhookAttemptFacts))


class WebhookReplay(Answer):
    message = ma.String()
    count = ma.Integer(metadata={"description": "Events that are sent again."})
