"""The tenant's request log: /developers/requests."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response

from app import ids
from app.api.tenant.schemas.requests import LoggedRequestDetail, LoggedRequests, RequestLogQuery
from app.clock import iso_z
from app.errors import NotFound
from app.http.blueprint import Blueprint
from app.http.guards import current_principal
from app.http.operation import operation
from app.http.pagination import next_cursor, page_request
from app.http.request_log import digest_of
from app.http.responses import respond
from app.models.api_request import ApiRequest
from app.services.api_requests import read
from app.services.api_requests.read import RequestFilter

blueprint = Blueprint("requests", __name__, description="What the tenant's backends have asked for.")


@blueprint.route("/developers/requests")
@operation("requests_list")
@blueprint.arguments(RequestLogQuery, location="query")
@blueprint.response(200, LoggedRequests)
def list_requests(query: dict[str, Any]) -> Response:
    """Requests with the tenant's keys or of its people, newest first; kept for 30 days, listed a second or two after they came."""
    wanted = RequestFilter(
        status_class=int(query["status"][0]) if "status" in query else None,
        key_digest=digest_of(query.get("idempotency_key")),
        **{name: query.get(name) for name in ("method", "route", "key_id", "request_id", "object_id")},
    )
    page = read.list_requests(current_principal().tenant_id, page_request(query), wanted)
    results = [_view(one) for one in page.items]
    return respond({"results": results, "next_cursor": next_cursor(page, lambda one: one.id)})


@blueprint.route("/developers/requests/<uuid:logged_id>")
@operation("requests_get", errors=[NotFound])
@blueprint.response(200, LoggedRequestDetail)
def get_request(logged_id: uuid.UUID) -> Response:
    """One request, with what is kept of its body and its answer"""
    found = read.get_request(current_principal().tenant_id, logged_id)
    return respond(_view(found) | {"request": found.request, "answer": found.answer})


def _view(found: ApiRequest) -> dict[str, Any]:
    return {
        "id": found.id,
        "created_at": iso_z(ids.moment_of(found.id)),
        "request_id": found.request_id,
        "method": found.method,
        "route": found.route,
        "path": found.path,
        "status": found.status,
        "duration_ms": found.duration_ms,
        "key_id": found.key_id,
        "user_id": ids.public(ids.USER, found.user_id) if found.user_id else None,
        "is_replay": found.is_replay,
        "object_id": found.object_id,
        "error_code": found.error_code,
        "address": found.address,
    }
