"""Paystack's errors: a code, a type and a next step."""

from __future__ import annotations

from typing import Any, Final

from flask import Response

from app.sandbox.http import Refusal, json_response

CHECK_PARAMETERS: Final = "Ensure that the parameters are valid and in the format the documentation shows."


class ApiError(Refusal):
    """An answer other than success. Without a code, the body has only status and message."""

    def __init__(
        self,
        http: int,
        message: str,
        *,
        code: str | None,
        type: str = "validation_error",
        next_step: str = CHECK_PARAMETERS,
    ) -> None:
        super().__init__(message)
        self.http, self.message, self.code, self.type, self.next_step = http, message, code, type, next_step

    def answer(self) -> Response:
        body: dict[str, Any] = {"status": False, "message": self.message}
        if self.code is not None:
            body |= {"meta": {"nextStep": self.next_step}, "type": self.type, "code": self.code}
        return json_response(body, self.http)


def invalid_key() -> ApiError:
    """The secret key is wrong."""
    return ApiError(401, "Invalid key", code=None)


def server_error(http: int) -> ApiError:
    """A server error of this HTTP status."""
    message = "An error occurred while processing your request."
    return ApiError(http, message, code="unknown", type="api_error", next_step="Try again later.")


def rate_limited() -> ApiError:
    """Too many requests."""
    next_step = "Wait a moment, then try again."
    return ApiError(429, "Too many requests", code="rate_limited", type="api_error", next_step=next_step)


def not_found(noun: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, f"{noun} not found", code="not_found", type="api_error")
