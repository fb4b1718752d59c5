"""Daraja's errors."""

from __future__ import annotations

from flask import Response, jsonify

from app.sandbox.http import Refusal
from app.sandbox.mpesa.replies import request_id


class ApiError(Refusal):
    """An answer other than success. Without a code, the answer has no body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self) -> Response:
        if not self.code:
            return Response(status=self.status)
        response = jsonify(requestId=request_id(), errorCode=self.code, errorMessage=self.message)
        response.status_code = self.status
        return response


def invalid(field: str) -> ApiError:
    """A field is missing or wrong."""
    return ApiError(400, "400.002.02", f"Bad Request - Invalid {field}")


def server_error(status: int) -> ApiError:
    """A server error of this HTTP status."""
    code, message = {
        500: ("500.003.1001", "Internal Server Error"),
        503: ("500.003.02", "System is busy. Please try again in few minutes."),
    }.get(status, (f"{status}.001", "The request could not be served."))
    return ApiError(status, code, message)


def rate_limited() -> ApiError:
    """Too many requests: HTTP 500 at Daraja."""
    return ApiError(500, "500.003.02", "Error Occurred: Spike Arrest Violation")


def invalid_token() -> ApiError:
    """The token is unknown, expired or replaced by a newer one: HTTP 404 at Daraja."""
    return ApiError(404, "404.001.03", "Invalid Access Token")


def wrong_credentials() -> ApiError:
    """The consumer key or secret is wrong: HTTP 400 without a body."""
    return ApiError(400, "", "The consumer key or secret is wrong.")
