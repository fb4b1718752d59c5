"""Webhooks to merchants: /webhooks (document 003, and docs/webhooks.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, current_app

from app.api.processing.blueprint import Blueprint
from app.api.processing.coded import Coded
from app.api.processing.schemas.fields import NoFields
from app.api.processing.schemas.webhooks import (
    DeliveryQuery,
    EventQuery,
    ReplayRequest,
    SecretRotation,
    SimulationRequest,
    WebhookDeliveries,
    WebhookDeliveryFacts,
    WebhookDeliveryRead,
    WebhookEndpointChange,
    WebhookEndpointDeleted,
    WebhookEndpointFacts,
    WebhookEndpointMade,
    WebhookEndpointRequest,
    WebhookEndpoints,
    WebhookEvents,
    WebhookReplay,
    WebhookSimulation,
    WebhookTest,
)
from app.api.processing.views_webhooks import (
    delivery_view,
    delivery_with_attempts,
    endpoint_view,
    events_view,
    simulation_view,
)
from app.errors import EndpointDisabled, InvalidParameters, InvalidRequest, NotFound
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.responses import respond
from app.models.webhook import DeliveryState
from app.services.webhooks import endpoints, events, reading, replay
from app.services.webhooks.addresses import UrlRefused
from app.services.webhooks.event_waits import EventWaits
from app.services.webhooks.events import EventFilter

blueprint = Blueprint("webhook_endpoints", __name__, description="Webhooks to merchants.")


@blueprint.route("/webhooks/endpoints", methods=["POST"])
@operation("webhook_endpoints_create", errors=[InvalidParameters])
@blueprint.arguments(WebhookEndpointRequest)
@blueprint.response(201, WebhookEndpointMade)
def create_endpoint(body: dict[str, Any]) -> Response:
    """Register an endpoint; the secret is shown only now"""
    with _refused_urls():
        made, secret = endpoints.register(current_principal(), body["url"], body["events"])
    return respond(endpoint_view(made) | {"secret": secret}, 201)


@blueprint.route("/webhooks/endpoints")
@operation("webhook_endpoints_list")
@blueprint.response(200, WebhookEndpoints)
def list_endpoints() -> Response:
    """All endpoints, the newest first"""
    found = endpoints.list_all(current_principal().tenant_id)
    return respond({"object": "list", "data": [endpoint_view(one) for one in found], "total": len(found)})


@blueprint.route("/webhooks/endpoints/<endpoint_id>")
@operation("webhook_endpoints_get", errors=[NotFound])
@blueprint.response(200, WebhookEndpointFacts)
def get_endpoint(endpoint_id: str) -> Response:
    """One endpoint"""
    return respond(endpoint_view(endpoints.find(current_principal().tenant_id, endpoint_id)))


@blueprint.route("/webhooks/endpoints/<endpoint_id>", methods=["PATCH"])
@operation("webhook_endpoints_update", errors=[NotFound, InvalidParameters])
@blueprint.arguments(WebhookEndpointChange)
@blueprint.response(200, WebhookEndpointFacts)
def change_endpoint(body: dict[str, Any], endpoint_id: str) -> Response:
    """Change the URL or the types; what is due already goes to the new URL"""
    with _refused_urls():
        changed = endpoints.change(
            current_principal(),
            endpoint_id,
            url=body.get("url"),
            events=body.get("events"),
            has_events="events" in body,
        )
    return respond(endpoint_view(changed))


@blueprint.route("/webhooks/endpoints/<endpoint_id>", methods=["DELETE"])
@operation("webhook_endpoints_delete", errors=[NotFound])
@blueprint.response(200, WebhookEndpointDeleted)
def delete_endpoint(endpoint_id: str) -> Response:
    """Delete an endpoint; nothing more is sent to it"""
    endpoints.delete(current_principal(), endpoint_id)
    return respond({"id": endpoint_id, "object": "webhook_endpoint", "deleted": True})


@blueprint.route("/webhooks/endpoints/<endpoint_id>/rotate-secret", methods=["POST"])
@operation("webhook_endpoints_rotate_secret", errors=[NotFound, InvalidParameters])
@blueprint.arguments(SecretRotation)
@blueprint.response(200, WebhookEndpointMade)
def rotate_secret(body: dict[str, Any], endpoint_id: str) -> Response:
    """Make a new secret, shown only now; both sign during the overlap"""
    changed, secret = endpoints.rotate_secret(
        current_principal(), endpoint_id, overlap_hours=body["overlap_hours"]
    )
    return respond(endpoint_view(changed) | {"secret": secret})


@blueprint.route("/webhooks/endpoints/<endpoint_id>/enable", methods=["POST"])
@operation("webhook_endpoints_enable", errors=[NotFound, InvalidParameters])
@blueprint.arguments(NoFields)
@blueprint.response(200, WebhookEndpointFacts)
def enable_endpoint(body: dict[str, Any], endpoint_id: str) -> Response:
    """Send events there again, from now on"""
    return respond(endpoint_view(endpoints.set_enabled(current_principal(), endpoint_id, is_enabled=True)))


@blueprint.route("/webhooks/endpoints/<endpoint_id>/disable", methods=["POST"])
@operation("webhook_endpoints_disable", errors=[NotFound, InvalidParameters])
@blueprint.arguments(NoFields)
@blueprint.response(200, WebhookEndpointFacts)
def disable_endpoint(body: dict[str, Any], endpoint_id: str) -> Response:
    """Send nothing there; what is due is cancelled"""
    return respond(endpoint_view(endpoints.set_enabled(current_principal(), endpoint_id, is_enabled=False)))


@blueprint.route("/webhooks/endpoints/<endpoint_id>/test", methods=["POST"])
@operation("webhook_endpoints_test", errors=[NotFound, EndpointDisabled, InvalidParameters])
@blueprint.arguments(NoFields)
@blueprint.response(200, WebhookTest)
def send_test(body: dict[str, Any], endpoint_id: str) -> Response:
    """Send a test message there"""
    event_id = endpoints.send_test(current_principal(), endpoint_id)
    return respond({"event_id": event_id, "message": "A test message is being sent."})


@blueprint.route("/webhooks/endpoints/<endpoint_id>/replay", methods=["POST"])
@operation("webhook_endpoints_replay", errors=[NotFound, EndpointDisabled, InvalidParameters])
@blueprint.arguments(ReplayRequest)
@blueprint.response(200, WebhookReplay)
def replay_endpoint(body: dict[str, Any], endpoint_id: str) -> Response:
    """Send the events of a time again, at most 1,000"""
    count = replay.replay_range(
        current_principal(), endpoint_id, after=body.get("after"), until=body.get("until")
    )
    return respond({"message": f"{count} events are being sent.", "count": count})


@blueprint.route("/webhooks/endpoints/<endpoint_id>/deliveries")
@operation("webhook_deliveries_list", errors=[NotFound, InvalidParameters, InvalidRequest])
@blueprint.arguments(DeliveryQuery, location="query")
@blueprint.response(200, WebhookDeliveries)
def list_deliveries(query: dict[str, Any], endpoint_id: str) -> Response:
    """What was sent to an endpoint, and is to be; the newest first"""
    found, has_more = reading.list_deliveries(
        current_principal().tenant_id,
        endpoint_id,
        state=DeliveryState(query["state"]) if "state" in query else None,
        before=query.get("before"),
        limit=query["limit"],
    )
    data = [delivery_view(one.delivery, one.event) for one in found]
    return respond({"object": "list", "data": data, "has_more": has_more})


@blueprint.route("/webhooks/deliveries/<delivery_id>")
@operation("webhook_deliveries_get", errors=[NotFound])
@blueprint.response(200, WebhookDeliveryRead)
def get_delivery(delivery_id: str) -> Response:
    """One delivery, with what is sent and each attempt"""
    return respond(delivery_with_attempts(reading.find_delivery(current_principal().tenant_id, delivery_id)))


@blueprint.route("/webhooks/deliveries/<delivery_id>/replay", methods=["POST"])
@operation("webhook_deliveries_replay", errors=[NotFound, EndpointDisabled, InvalidParameters])
@blueprint.arguments(NoFields)
@blueprint.response(200, WebhookDeliveryFacts)
def replay_delivery(body: dict[str, Any], delivery_id: str) -> Response:
    """Send it again, now"""
    delivery, event = replay.replay_delivery(current_principal(), delivery_id)
    return respond(delivery_view(delivery, event))


@blueprint.route("/webhooks/events")
@operation("webhook_events_list", errors=[InvalidParameters])
@blueprint.arguments(EventQuery, location="query")
@blueprint.response(200, WebhookEvents)
def list_events(query: dict[str, Any]) -> Response:
    """The newest events; or those behind a number, which may be waited for

    With `after` the oldest come first, and with `wait` the answer waits so many seconds for one. Asking again with the `after` of the
    answer misses no event and repeats none.
    """
    reader = current_principal()
    wanted = EventFilter(reader.tenant_id, query.get("type"), reader.reset_at)
    if "after" not in query:
        return respond(events_view(events.newest(wanted, limit=query["limit"])))
    waits: EventWaits = current_app.extensions["event_waits"]
    until = time.monotonic() + query["wait"]
    page = events.after(wanted, query["after"], limit=query["limit"])
    while not page.events and (left := until - time.monotonic()) > 0:
        if not waits.wait(page.after, seconds=left):
            break
        page = events.after(wanted, page.after, limit=query["limit"])
    return respond(events_view(page))


@blueprint.route("/webhooks/simulate", methods=["POST"])
@operation("webhook_events_simulate", errors=[InvalidParameters])
@blueprint.arguments(SimulationRequest)
@blueprint.response(200, WebhookSimulation)
def simulate(body: dict[str, Any]) -> Response:
    """Send a payload of your own as an event; no payment is changed"""
    event, targets = endpoints.simulate(current_principal(), body["event_type"], body["payload"])
    return respond(simulation_view(event, targets))


@contextmanager
def _refused_urls() -> Iterator[None]:
    """A URL that is refused is a field that is not valid."""
    try:
        yield
    except UrlRefused as error:
        raise InvalidParameters(details={"fields": {"url": [Coded(error.problem, error.message)]}}) from error
