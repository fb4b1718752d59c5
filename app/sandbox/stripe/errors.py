"""Stripe's errors: one exception, and a function for each kind of error."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, g

from app.sandbox.http import Refusal
from app.sandbox.stripe.replies import json_answer

DOCS: Final = "https://stripe.com/docs/error-codes/"


class ApiError(Refusal):
    """An answer other than success.

    is_replayable: the request had started to act, so its idempotency key replays this answer. An answer to invalid
    parameters is not replayed.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        is_replayable: bool = False,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.code, self.param, self.is_replayable = code, param, is_replayable
        self.more = more or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON of the answer, without the members that do not apply."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, **self.more}
        if self.code is not None:
            error |= {"code": self.code, "doc_url": DOCS + self.code.replace("_", "-")}
        if self.param is not None:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}

    def answer(self) -> Response:
        g.is_replayable = self.is_replayable
        return json_answer(self.body(g.request_id), self.status)


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """400: the parameters are wrong, and nothing was done."""
    return ApiError(400, "invalid_request_error", message, code=code, param=param)


def refused(message: str, *, param: str | None = None, code: str | None = None, **more: Any) -> ApiError:
    """400: the object's state does not allow it."""
    return ApiError(
        400, "invalid_request_error", message, code=code, param=param, is_replayable=True, more=more
    )


def missing(noun: str, id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """No such object: 404 when it was named in the path, 400 when in a parameter."""
    return ApiError(
        status, "invalid_request_error", f"No such {noun}: '{id}'", code="resource_missing", param=param
    )


def declined(code: str, decline_code: str, message: str, **more: Any) -> ApiError:
    """402: the card's bank declined."""
    return ApiError(
        402, "card_error", message, code=code, is_replayable=True, more={"decline_code": decline_code, **more}
    )


def unauthorized(message: str, *, code: str | None = None) -> ApiError:
    """401: the key is missing or wrong."""
    return ApiError(401, "invalid_request_error", message, code=code)


def server_error(status: int) -> ApiError:
    """5xx: a planned fault."""
    return ApiError(
        status, "api_error", "Sorry! There was an error while talking to Stripe.", is_replayable=True
    )


def rate_limited() -> ApiError:
    """429."""
    return ApiError(
        429,
        "invalid_request_error",
        "Request rate limit exceeded. Retry the request later with exponential back-off.",
        code="rate_limit",
    )


def masked(key: str) -> str:
    """A secret key as errors show it: its beginning and its last four characters."""
    return key[:8] + "*" * max(len(key) - 12, 4) + key[-4:] if len(key) > 12 else "*" * len(key)
