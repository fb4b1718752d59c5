"""For operators: stored callbacks, their results, and retrying dead letters."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app.api.gateway import operator_views
from app.api.gateway.schemas.operations import (
    EventAnswer,
    EventList,
    EventQuery,
    WebhookStatisticsAnswer,
    WebhookStatisticsQuery,
)
from app.errors import ProviderEventNotFound, ProviderEventNotRetryable
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.http.schema import Nothing
from app.models.provider_event import ProviderEventState
from app.services.callbacks import inbox as callback_inbox
from app.services.callbacks.inbox import EventFilter

blueprint = Blueprint("webhook_events", __name__, description="Callbacks, for operators.")


@blueprint.route("/webhooks/events")
@operation("provider_events_list")
@blueprint.arguments(EventQuery, location="query")
@blueprint.response(200, EventList)
def list_events(query: dict[str, Any]) -> Response:
    """Callbacks, newest first."""
    return _listed(EventFilter(**_criteria(query), state=query.get("state")), query)


@blueprint.route("/webhooks/dead-letter-queue")
@operation("provider_events_list_dead_letters")
@blueprint.arguments(EventQuery(exclude=("state",)), location="query")
@blueprint.response(200, EventList)
def list_dead_letters(query: dict[str, Any]) -> Response:
    """Dead letters, newest first: a retry makes them due again."""
    return _listed(EventFilter(**_criteria(query), state=ProviderEventState.DEAD), query)


@blueprint.route("/webhooks/events/<uuid:event_id>")
@operation("provider_events_get", errors=[ProviderEventNotFound])
@blueprint.response(200, EventAnswer)
def get_event(event_id: uuid.UUID) -> Response:
    """One callback with its headers and body, as they came."""
    return respond({"success": True, "data": operator_views.callback(callback_inbox.get_event(event_id))})


@blueprint.route("/webhooks/events/<uuid:event_id>/retry", methods=["POST"])
@operation("provider_events_retry", errors=[ProviderEventNotFound, ProviderEventNotRetryable])
@blueprint.arguments(Nothing)
@blueprint.response(200, EventAnswer)
def retry_event(body: dict[str, Any], event_id: uuid.UUID) -> Response:
    """Process a callback again. One that was processed is not: its result stands."""
    event = callback_inbox.retry(event_id, operator=current_principal())
    return respond({"success": True, "data": operator_views.callback(event)})


@blueprint.route("/webhooks/statistics")
@operation("provider_events_get_statistics")
@blueprint.arguments(WebhookStatisticsQuery, location="query")
@blueprint.response(200, WebhookStatisticsAnswer)
def webhook_statistics(query: dict[str, Any]) -> Response:
    """Callbacks of the last hours by provider, kind and state, and what waits."""
    found = callback_inbox.statistics(hours=query.get("hours", 24))
    return respond({"success": True, "data": operator_views.callback_statistics(found)})


def _criteria(query: dict[str, Any]) -> dict[str, Any]:
    return {
        "provider": query.get("provider"),
        "payment_id": query.get("payment_id"),
        "before": query.get("cursor"),
    }


def _listed(criteria: EventFilter, query: dict[str, Any]) -> Response:
    page = callback_inbox.list_events(criteria, limit=query.get("limit", 20))
    return respond({"success": True, "data": operator_views.callback_page(page)})
