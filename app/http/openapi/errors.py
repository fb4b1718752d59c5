"""Which errors a request can end in: those its route names, and those that follow from guard, limit, body, key and database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import marshmallow as ma

from app.errors import (
    CardDataNotAllowed,
    CredentialsMissing,
    GatewayError,
    IdempotencyConflict,
    IdempotencyKeyReused,
    InvalidApiKey,
    InvalidRequest,
    InvalidTenant,
    KeyForbidden,
    NotAMember,
    PayloadTooLarge,
    PermissionDenied,
    PermissionMissing,
    RateLimitExceeded,
    ScopeMissing,
    ServiceUnavailable,
    TenantIdMissing,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    UnsupportedMediaType,
)
from app.http.errors import InternalError
from app.http.guards import (
    KNOWN_MERCHANT,
    KNOWN_PROCESSING,
    MERCHANT,
    MERCHANT_OR_USER,
    PROCESSING,
    PUBLIC,
    SITE,
    TENANT,
    USER_SESSION,
    USER_TOKEN,
    Guard,
)
from app.http.openapi.headers import response_headers
from app.http.openapi.routes import DocumentedRoute
from app.http.surfaces import Surface

Errors = tuple[type[GatewayError], ...]


@dataclass(frozen=True, slots=True)
class ErrorBodies:
    """A surface's error body, and that of a missing `Idempotency-Key` where it has one of its own.

    `has_codes`: the body holds the error's code, so the document lists the codes of each status.
    """

    schema: type[ma.Schema]
    missing_key: type[ma.Schema] | None = None
    has_codes: bool = False


_USER: Final[Errors] = (TokenMissing, TokenInvalid, TokenExpired)
_API_KEY: Final[Errors] = (InvalidApiKey, CredentialsMissing, TokenInvalid, TokenExpired, PermissionDenied)
_TENANT: Final[Errors] = (
    CredentialsMissing,
    TenantIdMissing,
    InvalidTenant,
    InvalidApiKey,
    TokenInvalid,
    TokenExpired,
    NotAMember,
)

_PROCESSING: Final[Errors] = (CredentialsMissing, InvalidApiKey, KeyForbidden)

OF_GUARD: Final[Mapping[Guard, Errors]] = MappingProxyType(
    {
        PUBLIC: (),
        USER_SESSION: _USER,
        USER_TOKEN: _USER,
        MERCHANT: _API_KEY,
        KNOWN_MERCHANT: _API_KEY,
        SITE: _API_KEY,
        MERCHANT_OR_USER: _API_KEY,
        TENANT: _TENANT,
        KNOWN_PROCESSING: _PROCESSING,
        PROCESSING: _PROCESSING,
    }
)

OF_BODY: Final[Errors] = (InvalidRequest, CardDataNotAllowed, PayloadTooLarge, UnsupportedMediaType)
OF_KEY: Final[Errors] = (InvalidRequest, IdempotencyKeyReused, IdempotencyConflict)
OF_DATABASE: Final[Errors] = (InternalError, ServiceUnavailable)


def errors_of(route: DocumentedRoute, raw: Mapping[str, Any]) -> list[type[GatewayError]]:
    """Every error of a route; `raw` is the operation as flask-smorest described it."""
    found: list[type[GatewayError]] = [*route.operation.errors, *OF_GUARD[route.policy.guard]]
    if route.policy.scope is not None:
        found.append(PermissionDenied)
    if route.policy.tenant_scopes:
        found.append(ScopeMissing)
    if route.policy.permission is not None:
        found.append(PermissionMissing)
    if "requestBody" in raw:
        found += OF_BODY
    if route.has_checked_query:
        found.append(InvalidRequest)
    if route.has_key:
        found += OF_KEY
    if route.policy.limit is not None:
        found.append(RateLimitExceeded)
    if route.uses_database:
        found += OF_DATABASE
        if route.writes:
            found.append(IdempotencyConflict)  # a lock that could not be taken in time
    return sorted(set(found), key=lambda error: (error.http_status, error.code, error.default_message))


def error_responses(
    routes: Sequence[DocumentedRoute], raw: Mapping[str, Any], bodies: Mapping[Surface, ErrorBodies]
) -> dict[str, Any]:
    """Status → response. Routes that share a path and method answer each with their surface's body."""
    statuses = sorted({error.http_status for route in routes for error in errors_of(route, raw)})
    return {str(status): _response(status, routes, raw, bodies) for status in statuses}


def _response(
    status: int,
    routes: Sequence[DocumentedRoute],
    raw: Mapping[str, Any],
    bodies: Mapping[Surface, ErrorBodies],
) -> dict[str, Any]:
    schemas: list[dict[str, Any]] = []
    lines: list[str] = []
    codes: list[str] = []
    for route in routes:
        errors = [error for error in errors_of(route, raw) if error.http_status == status]
        if not errors:
            continue
        body = bodies[route.surface]
        schemas.append(reference(body.schema))
        if status == InvalidRequest.http_status and route.needs_key and body.missing_key is not None:
            schemas.append(reference(body.missing_key))
        lines += _lines(errors, has_codes=body.has_codes)
        codes += [error.code for error in errors] if body.has_codes else []
    response: dict[str, Any] = {
        "description": "\n".join(dict.fromkeys(lines)),
        "headers": response_headers(status, routes),
        "content": {"application/json": {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}},
    }
    if codes:
        response["x-error-codes"] = sorted(set(codes))
    return response


def _lines(errors: Iterable[type[GatewayError]], *, has_codes: bool) -> list[str]:
    if has_codes:
        return [f"- `{error.code}`: {error.default_message}" for error in errors]
    return [f"- {error.default_message}" for error in errors]


def reference(schema: type[ma.Schema]) -> dict[str, str]:
    """Where the document has a schema; `document` puts those of error bodies there."""
    return {"$ref": f"#/components/schemas/{schema.__name__}"}
