"""The document: flask-smorest's, with every operation completed by the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flask import Flask

from app.http import guards
from app.http.guards import KNOWN_MERCHANT, MERCHANT, MERCHANT_OR_USER, PUBLIC, USER_SESSION, Guard
from app.http.openapi.api import PAYMENT_ID_PATTERN, DocumentedApi, make_api
from app.http.openapi.errors import ErrorBodies, error_responses
from app.http.openapi.headers import HEADERS, key_parameter, response_headers
from app.http.openapi.routes import DocumentedRoute, documented_routes, written
from app.http.surfaces import Surface
from app.models.user import Scope

JsonObject = dict[str, Any]
Shared = Mapping[tuple[str, str], Sequence[DocumentedRoute]]
"""(path, method) → the routes there: two where the kind of id in the path decides."""

WALLET: Final = "Wallet API"
GATEWAY: Final = "Gateway API"
TENANT: Final = "Tenant API"
BOOKINGS: Final = "Booking API"
PROCESSING: Final = "Processing API"
OPERATORS: Final = "Operators"
CALLBACKS: Final = "Provider callbacks"
SYSTEM: Final = "System"

TAGS: Final = {
    WALLET: "For users' apps: registration, wallets, identity verification, payments between users.",
    GATEWAY: "For merchants' backends: payments through providers.",
    TENANT: "For a tenant's back office: customers, orders, the wallet, withdrawals, people. Also under `/v1`.",
    BOOKINGS: "For travellers' browsers and booking sites: listings, bookings and their payments, as document 004 has them.",
    PROCESSING: "For merchants' backends: payments, refunds, webhooks and OAuth 2 as document 003 has them, under `/v1`.",
    OPERATORS: "For users with the scope `admin`.",
    CALLBACKS: "Called by payment providers, not by you.",
    SYSTEM: "Health and version. Also under `/api/v1`.",
}
"""Tag → its description, in the order of the page."""

_OF_SURFACE: Final = {
    Surface.WALLET: WALLET,
    Surface.GATEWAY: GATEWAY,
    Surface.TENANT: TENANT,
    Surface.PROCESSING: PROCESSING,
    Surface.BOOKINGS: BOOKINGS,
    Surface.SYSTEM: SYSTEM,
}

_USER: Final[dict[str, list[str]]] = {"accessToken": []}
_TENANT: Final[list[dict[str, list[str]]]] = [{"tenantKey": []}, {"tenantKeyAsBearer": []}]
_PROCESSING: Final[list[dict[str, list[str]]]] = [{"processingKey": []}, {"processingKeyAsBearer": []}]
_CREDENTIALS: Final[Mapping[Guard, list[dict[str, list[str]]]]] = {
    PUBLIC: [],
    MERCHANT: _TENANT,
    KNOWN_MERCHANT: _TENANT,
    guards.SITE: _TENANT,
    MERCHANT_OR_USER: [*_TENANT, _USER],
    guards.PROCESSING: _PROCESSING,
    guards.KNOWN_PROCESSING: _PROCESSING,
    guards.TENANT: [{"tenantId": [], "tenantKey": []} | _USER, {"tenantId": [], "tenantKey": []}],
}
"""Guard → what a caller may send. The others ask for a user's access token, the document's general rule."""

_UUID: Final = {"type": "string", "format": "uuid"}
PATH_IDS: Final[Mapping[str, JsonObject]] = {
    "wallet_id": {"type": "string", "maxLength": 64, "examples": ["acc_sender_123"]},
    "session_id": {"type": "string", "maxLength": 64, "examples": ["ses_0d4c2f6a9b8e4f1f8a7b6c5d4e3f2a1b"]},
    "user_id": {"type": "string", "maxLength": 64, "examples": ["usr_0d4c2f6a9b8e4f1f8a7b6c5d4e3f2a1b"]},
    "payment_id": _UUID | {"examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566"]},
    "event_id": _UUID | {"examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566"]},
    "customer_id": _UUID | {"examples": ["123e4567-e89b-12d3-a456-426614174000"]},
    "method_id": {"type": "string", "maxLength": 300, "examples": ["mpesa_254712345678"]},
    "listing_id": _UUID | {"examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566"]},
    "booking_id": _UUID | {"examples": ["f367ddf9-f2ff-4de2-b929-0e0942ace93b"]},
    "order_id": _UUID | {"examples": ["5f0c2c5e-8f43-4c38-9d0e-6b7a40c6a001"]},
    "transaction_id": _UUID | {"examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566"]},
    "destination_id": _UUID | {"examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566"]},
    "invitation_id": _UUID | {"examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566"]},
    "logged_id": _UUID | {"examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566"]},
    "endpoint_id": {"type": "string", "maxLength": 64, "examples": ["we_0195f3a0b1c27d8e9f001122"]},
    "delivery_id": {"type": "string", "maxLength": 64, "examples": ["whd_0195f3a0b1c27d8e9f001122"]},
    "key_id": _UUID | {"examples": ["0d4c2f6a-9b8e-4f1f-8a7b-6c5d4e3f2a1b"]},
    "grant_id": _UUID | {"examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566"]},
    "client_id": {"type": "string", "maxLength": 64, "examples": ["client_0d4c2f6a9b8e4f1f8a7b6c5d"]},
    "provider": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$", "examples": ["mpesa"]},
    "token": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$", "examples": ["Zk3vQ0fJb1mWn8yT"]},
}
"""Name of a path parameter → what it looks like."""

PROCESSING_PATH_IDS: Final[Mapping[str, JsonObject]] = {
    "payment_id": {"type": "string", "maxLength": 64, "examples": ["pay_a1b2c3d4e5f6789012345678"]},
}
"""The same of the Processing API, where they are others."""

EITHER_PAYMENT_ID: Final = {
    "anyOf": [_UUID, {"type": "string", "pattern": PAYMENT_ID_PATTERN}],
    "examples": ["0195f3a0-b1c2-7d8e-9f00-112233445566", "pmt_0195f3a0b1c27d8e9f00112233445566"],
}


def document(app: Flask) -> JsonObject:
    """The document of every route that has an operation; made once."""
    known: JsonObject | None = app.extensions.get("openapi")
    if known is None:
        known = app.extensions["openapi"] = _make(app)
    return known


def _make(app: Flask) -> JsonObject:
    api = make_api(app)
    bodies: Mapping[Surface, ErrorBodies] = app.extensions["error_bodies"]
    add_error_schemas(api, bodies)
    spec: JsonObject = api.spec.to_dict()
    routes = shared(documented_routes(app))
    described = {written(path): item for path, item in spec["paths"].items()}
    spec["paths"] = {
        path: {
            method: complete(item[method], routes[path, method.upper()], item.get("parameters", []), bodies)
            for method in item
            if (path, method.upper()) in routes
        }
        for path, item in described.items()
        if any((path, method.upper()) in routes for method in item)
    }
    spec["tags"] = [{"name": name, "description": description} for name, description in TAGS.items()]
    spec["components"]["headers"] = HEADERS
    return spec


def add_error_schemas(api: DocumentedApi, bodies: Mapping[Surface, ErrorBodies]) -> None:
    """Put the error bodies of every surface among the document's schemas."""
    wanted = {schema for body in bodies.values() for schema in (body.schema, body.missing_key) if schema}
    for schema in sorted(wanted, key=lambda schema: schema.__name__):
        if schema.__name__ not in api.spec.components.schemas:
            api.spec.components.schema(schema.__name__, schema=schema)


def shared(routes: Iterable[DocumentedRoute]) -> Shared:
    """Routes by where the document describes them.

    A second prefix of a route adds nothing, unless it belongs to another surface: its errors have another body then.
    """
    found: defaultdict[tuple[str, str], list[DocumentedRoute]] = defaultdict(list)
    for route in routes:
        known = found[route.path, route.method]
        if route.is_first:
            known.append(route)
        elif route.surface not in {first.surface for first in known}:
            known.insert(0, route)  # the last one decides the tag
    return found


def complete(
    raw: JsonObject,
    routes: Sequence[DocumentedRoute],
    path_parameters: Sequence[JsonObject],
    bodies: Mapping[Surface, ErrorBodies],
) -> JsonObject:
    """One operation, by all the rules."""
    done: JsonObject = {
        "operationId": operation_id(routes),
        "tags": [tag(routes[-1])],
        **{name: raw[name] for name in ("summary", "description", "requestBody") if name in raw},
        "parameters": [
            *(path_parameter(p, routes) for p in path_parameters),
            *raw.get("parameters", ()),
            *key_parameter(routes),
        ],
        "responses": responses(raw, routes, bodies),
    }
    if (asked := security(routes)) != [_USER]:
        done["security"] = asked
    return done


def operation_id(routes: Sequence[DocumentedRoute]) -> str:
    """Raises ValueError when two routes share a place in the document and not its name."""
    names = {route.operation_id for route in routes}
    if len(names) != 1:
        raise ValueError(f"{routes[0].method} {routes[0].path} has several operation ids: {sorted(names)}")
    return names.pop()


def tag(route: DocumentedRoute) -> str:
    """By who calls it."""
    if route.policy.scope is Scope.ADMIN and route.policy.guard is USER_SESSION:
        return OPERATORS
    if route.policy.guard is PUBLIC and route.surface is Surface.GATEWAY:
        return CALLBACKS
    return _OF_SURFACE[route.surface]


def security(routes: Sequence[DocumentedRoute]) -> list[dict[str, list[str]]]:
    """Any one of these credentials will do; for two routes at one place those of both."""
    return [asked for route in routes for asked in _CREDENTIALS.get(route.policy.guard, [_USER])]


def path_parameter(raw: JsonObject, routes: Sequence[DocumentedRoute]) -> JsonObject:
    """With what its value looks like, and an example."""
    name = raw["name"]
    if name == "payment_id" and len(routes) > 1:
        schema: JsonObject = EITHER_PAYMENT_ID
    elif routes[0].surface is Surface.PROCESSING and name in PROCESSING_PATH_IDS:
        schema = PROCESSING_PATH_IDS[name]
    else:
        schema = PATH_IDS[name]
    return {"in": "path", "name": name, "required": True, "schema": schema}


def responses(
    raw: JsonObject, routes: Sequence[DocumentedRoute], bodies: Mapping[Surface, ErrorBodies]
) -> JsonObject:
    """What the route documents itself, with the headers of every answer; and its errors, in order of status."""
    own = {
        status: {**found, "headers": response_headers(int(status), routes)}
        for status, found in raw["responses"].items()
        if isinstance(found, dict) and "$ref" not in found
    }
    errors = error_responses(routes, raw, bodies)
    for status in own.keys() & errors.keys():
        own[status] = either(own[status], errors.pop(status))
    return dict(sorted((own | errors).items()))


def either(own: JsonObject, error: JsonObject) -> JsonObject:
    """Two responses of one status: what the route answers itself, and an error of its surface."""
    media = own["content"]["application/json"]
    schemas = [media["schema"], error["content"]["application/json"]["schema"]]
    return {
        "description": f"{own['description']}\n{error['description']}",
        "headers": own["headers"] | error["headers"],
        "content": {"application/json": {**media, "schema": {"oneOf": schemas}}},
    }
