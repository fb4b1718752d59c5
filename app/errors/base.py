"""The root of the error tree, and refusals of any request."""

from __future__ import annotations

from typing import Any, ClassVar

_ANSWERS: dict[str, type[GatewayError]] = {}
"""Code → the error that says so, of every error with `is_answer`."""


class GatewayError(Exception):
    """A refusal the caller can read: never a 500, never internals.

    code: stable upper-case name; message: one sentence for human readers; http_status: what a surface answers unless it has a rule of
    its own; field: the offending input field, if one; details: JSON-safe facts; retry_after_s: when trying again makes sense, in
    seconds; is_answer: the outcome is final for an idempotency key, so it is stored and replayed; replayed: it comes out of such a
    store. sql_code: what SQL functions call it, where that is not its code.
    """

    code = "ERROR"
    http_status = 400
    default_message = "The request was refused."
    is_answer = False
    sql_code: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        """Raises TypeError for an answer that has the code of another: a stored code must name one error."""
        super().__init_subclass__()
        if not cls.is_answer:
            return
        for code in filter(None, (cls.code, cls.sql_code)):
            if code in _ANSWERS:
                raise TypeError(f"{cls.__name__} and {_ANSWERS[code].__name__} have one code: {code}")
            _ANSWERS[code] = cls

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        field: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
        replayed: bool = False,
    ) -> None:
        self.message = message or self.default_message
        self.code = code or self.code
        self.field = field
        self.details = details or {}
        self.retry_after_s = retry_after_s
        self.replayed = replayed
        super().__init__(self.message)


class InvalidRequest(GatewayError):
    """The body, a header or a parameter is not what the route takes. Changes nothing, consumes no key."""

    code = "INVALID_REQUEST"
    default_message = "The request is not valid."


class InvalidParameters(InvalidRequest):
    """Fields that are not valid, where document 003 answers 422. details["fields"]: marshmallow's tree of messages."""

    http_status = 422
    code = "INVALID_PARAMETERS"
    default_message = "The request body contains invalid parameters."


class InvalidBody(InvalidRequest):
    """The body is not the JSON this gateway accepts: see app/http/strict_json.py."""

    default_message = "The body must be a JSON object."


class PayloadTooLarge(InvalidRequest):
    http_status = 413
    default_message = "The body is too large."


class UnsupportedMediaType(InvalidRequest):
    http_status = 415
    default_message = "Send the body as application/json."


class NotFound(GatewayError):
    """It does not exist or belongs to another owner: the caller cannot tell which."""

    http_status = 404
    code = "NOT_FOUND"
    default_message = "Not found."


class IdempotencyConflict(GatewayError):
    """Another request with this key is still running: retry after `retry_after_s`."""

    http_status = 409
    code = "IDEMPOTENCY_CONFLICT"
    default_message = "A request with this Idempotency-Key is still running."


class TestDataReset(IdempotencyConflict):
    """The tenant's test data was reset after the caller was identified."""

    default_message = "The tenant's test data was reset at this moment; send the request again."


class IdempotencyKeyReused(GatewayError):
    http_status = 422
    code = "IDEMPOTENCY_KEY_REUSED"
    default_message = "This Idempotency-Key was used with another request body."


class RateLimitExceeded(GatewayError):
    http_status = 429
    code = "RATE_LIMIT_EXCEEDED"
    default_message = "Too many requests."


class ServiceUnavailable(GatewayError):
    """The database or another part is not available. The change may have been committed: retry with the same key."""

    http_status = 503
    code = "SERVICE_UNAVAILABLE"
    default_message = "The service is briefly unavailable; try again."

    def __init__(self, message: str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("retry_after_s", 2)
        super().__init__(message, **kwargs)


def refusal(code: str, *, replayed: bool = False, **facts: Any) -> GatewayError:
    """The error of a stored answer's code, or of a refusal by an SQL function; `facts`: its message, field, details. Raises
    KeyError when no error with `is_answer` has this code."""
    return _ANSWERS[code](replayed=replayed, **facts)
