"""Presenters of webhooks to merchants (docs/webhooks.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import current_app

from app import ids
from app.api.processing.times import iso
from app.events import webhook_messages
from app.events.webhook_messages import LoggedEvent
from app.models.webhook import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from app.services.webhooks.endpoints import Target
from app.services.webhooks.events import EventPage
from app.services.webhooks.reading import Delivered


def endpoint_view(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": ids.short(ids.WEBHOOK_ENDPOINT, endpoint.id),
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "events": endpoint.events,
        "status": "enabled" if endpoint.is_enabled else "disabled",
        "disabled_because": endpoint.disabled_because,
        "failing_since": _iso(endpoint.failing_since),
        "previous_secret_until": _iso(endpoint.previous_secret_until),
        "created_at": iso(endpoint.created_at),
        "updated_at": iso(endpoint.updated_at),
    }


def event_view(event: LoggedEvent, *, endpoints: int) -> dict[str, Any]:
    """The body that is sent."""
    return webhook_messages.message_of(
        event, endpoints=endpoints, is_production=current_app.config["IS_PRODUCTION"]
    )


def events_view(page: EventPage) -> dict[str, Any]:
    """`pending_webhooks` of an event: to how many endpoints it is still to be sent."""
    return {
        "object": "list",
        "data": [event_view(event, endpoints=waiting) for event, waiting in page.events],
        "has_more": page.has_more,
        "after": page.after,
    }


def simulation_view(event: LoggedEvent, targets: Sequence[Target]) -> dict[str, Any]:
    return {
        "message": f"The event is sent to {len(targets)} endpoints.",
        "event": event_view(event, endpoints=len(targets)),
        "signature": targets[0].signature if targets else None,
        "delivery_targets": [
            {
                "endpoint_id": ids.short(ids.WEBHOOK_ENDPOINT, target.endpoint.id),
                "url": target.endpoint.url,
                "signature": target.signature,
            }
            for target in targets
        ],
    }


def delivery_view(delivery: WebhookDelivery, event: LoggedEvent) -> dict[str, Any]:
    return {
        "id": ids.short(ids.WEBHOOK_DELIVERY, delivery.id),
        "object": "webhook_delivery",
        "endpoint_id": ids.short(ids.WEBHOOK_ENDPOINT, delivery.endpoint_id),
        "event_id": webhook_messages.id_of(event),
        "event_type": webhook_messages.type_of(event.type, event.data),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": iso(delivery.next_at) if delivery.state is DeliveryState.DUE else None,
        "is_replay": delivery.is_replay,
        "created_at": iso(delivery.created_at),
        "finished_at": _iso(delivery.finished_at),
    }


def delivery_with_attempts(found: Delivered) -> dict[str, Any]:
    return delivery_view(found.delivery, found.event) | {
        "event": event_view(found.event, endpoints=found.delivery.endpoints),
        "attempt_log": [_attempt_view(attempt) for attempt in found.attempts],
    }


def _attempt_view(attempt: WebhookAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": iso(attempt.at),
        "duration_ms": attempt.duration_ms,
        "address": attempt.address,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
        "is_by_hand": attempt.is_by_hand,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
