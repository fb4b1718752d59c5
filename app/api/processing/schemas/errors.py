"""The error bodies of the Processing API."""

from __future__ import annotations

from typing import Final

from marshmallow import fields as ma

from app.http.answers import Answer, one_of

TYPES: Final = (
    "authentication_error",
    "authorization_error",
    "not_found",
    "method_not_allowed",
    "validation_error",
    "rate_limit_error",
    "invalid_request",
    "internal_server_error",
)

OAUTH_TYPES: Final = (
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "invalid_scope",
    "access_denied",
)
"""Of the OAuth routes, as RFC 6749 names them; `invalid_request` is one of both."""


class FieldError(Answer):
    """One field that is not valid."""

    field = ma.String(metadata={"examples": ["amount"]})
    code = ma.String(
        metadata={"examples": ["required"], "description": "Stable; see docs/api/processing.md."}
    )
    message = ma.String(metadata={"examples": ["The 'amount' field is required."]})


class ProcessingErrorContent(Answer):
    """What went wrong. `errors`: of a validation error, each field; `error_code`: of the OAuth routes, RFC 6749's name
    of the error; `retry_after`: seconds; `request_id`: of a fault here."""

    optional = frozenset({"errors", "error_code", "retry_after", "request_id"})

    type = one_of(*TYPES, *OAUTH_TYPES)
    message = ma.String(metadata={"description": "One sentence for a human reader."})
    status = ma.Integer(metadata={"description": "The HTTP status again."})
    errors = ma.List(ma.Nested(FieldError))
    error_code = one_of("invalid_request", *OAUTH_TYPES)
    retry_after = ma.Integer()
    request_id = ma.String()


class ProcessingError(Answer):
    """An error of the Processing API."""

    error = ma.Nested(ProcessingErrorContent)
