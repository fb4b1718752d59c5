"""Pesapal's errors: an object in the body, nearly always with HTTP 200."""

from __future__ import annotations

from typing import Any

from flask import Response

from app.sandbox.http import Refusal, json_response


class ApiError(Refusal):
    """An answer other than success. code: empty for the refusals that have no error object. status: Pesapal's own, in the
    body, None for the refusals that have the error object alone; http: the answer's; kind: the error_type."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: str | None = "500",
        http: int = 200,
        kind: str = "api_error",
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.http, self.kind = code, message, status, http, kind

    def answer(self) -> Response:
        body: dict[str, Any] = {}
        if self.status is not None:
            body = {"status": self.status, "message": self.message}
        if self.code:
            body["error"] = error_object(self.code, self.message, kind=self.kind)
        return json_response(body, self.http)


def error_object(code: str, message: str, *, kind: str = "api_error") -> dict[str, Any]:
    """`{"error_type": "api_error", …}`."""
    return {"error_type": kind, "code": code, "message": message}


def invalid_token() -> ApiError:
    """The bearer token is missing, unknown or expired: HTTP 500 with the error alone, as clients have recorded it."""
    return ApiError(
        "invalid_api_credentials_provided",
        "Invalid Access Token",
        status=None,
        http=500,
        kind="authentication_error",
    )


def server_error(http: int) -> ApiError:
    """A server error of this HTTP status."""
    message = "An error occurred on our side."
    return ApiError("internal_server_error", message, status=str(http), http=http)


def rate_limited() -> ApiError:
    """Too many requests."""
    return ApiError("too_many_requests", "Too many requests.", status="429", http=429)
