"""Headers of requests and answers that operations have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.http.guards import KNOWN_PROCESSING, PROCESSING
from app.http.idempotency import HEADER as KEY_HEADER
from app.http.openapi.routes import DocumentedRoute
from app.http.responses import REPLAYED_HEADER
from app.http.surfaces import Surface

REQUEST_ID: Final = "X-Request-Id"
RETRY_AFTER: Final = "Retry-After"

HEADERS: Final[dict[str, dict[str, Any]]] = {
    REQUEST_ID: {
        "description": "Names this request in the gateway's log; the caller's own, if it sent one.",
        "required": True,
        "schema": {"type": "string", "examples": ["req_0123456789abcdef01234567"]},
    },
    REPLAYED_HEADER: {
        "description": "`true`: this is the stored answer of the first request with this `Idempotency-Key`. Absent the first time.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "X-Idempotent-Replayed": {
        "description": f"The same as {REPLAYED_HEADER}.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "X-Response-Time": {
        "description": "How long the gateway took, in milliseconds.",
        "schema": {"type": "string", "examples": ["0.5ms"]},
    },
    "X-API-Version": {"description": "Of the API.", "schema": {"type": "string", "examples": ["2024-01-15"]}},
    "X-RateLimit-Limit": {
        "description": "Requests that the key may make in a window.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining": {
        "description": "Those that are left in the current window.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Reset": {
        "description": "When one more is left, in seconds since 1970.",
        "schema": {"type": "integer"},
    },
    RETRY_AFTER: {
        "description": "Seconds after which trying again makes sense.",
        "schema": {"type": "integer", "minimum": 1, "examples": [2]},
    },
}

KEY_PARAMETER: Final[dict[str, Any]] = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "Your name for this request, best a new UUID. The same key and body get the same answer for "
    "24 hours and act once, however often they are sent.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": r"^[ -+\--~]+$",
        "examples": ["6f1f0f5e-2f0c-4b8e-9f0e-3c1a5b7d9e11"],
    },
}

_RETRIED: Final = frozenset({409, 429, 503})
_BUSY: Final = 502

_OF_PROCESSING: Final = ("X-Response-Time", "X-API-Version")
_OF_WINDOWS: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def key_parameter(routes: Sequence[DocumentedRoute]) -> list[dict[str, Any]]:
    """The `Idempotency-Key`, where the operation takes one."""
    if not any(route.has_key for route in routes):
        return []
    return [KEY_PARAMETER | {"required": any(route.needs_key for route in routes)}]


def response_headers(status: int, routes: Sequence[DocumentedRoute]) -> dict[str, Any]:
    """The headers an answer of this status has, or may have."""
    names = [REQUEST_ID]
    is_replayable = status < 400 or status in (400, 402, 403, 404, 502)
    if is_replayable and any(route.has_key for route in routes):
        names.append(REPLAYED_HEADER)
    if status in _RETRIED or (status == _BUSY and not any(route.has_key for route in routes)):
        names.append(RETRY_AFTER)
    if routes[0].surface is Surface.PROCESSING:
        names += _of_processing(status, routes[0], is_replayed=REPLAYED_HEADER in names)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _of_processing(status: int, route: DocumentedRoute, *, is_replayed: bool) -> list[str]:
    names = [*_OF_PROCESSING, *(("X-Idempotent-Replayed",) if is_replayed else ())]
    has_window = route.policy.guard in (KNOWN_PROCESSING, PROCESSING) and status not in (401, 403)
    return [*names, *(_OF_WINDOWS if has_window else ())]
