"""Chapa's errors."""

from __future__ import annotations

from typing import Final

from flask import Response

from app.sandbox.chapa.replies import envelope
from app.sandbox.http import Refusal, json_response

Message = str | dict[str, list[str]]
"""A sentence, or `{field: ["validation.required", …]}`."""

REFERENCE_USED: Final = "The reference number has been used before"


INVALID_KEY: Final = (
    "Invalid API Key or the business can't accept payments at the moment. Please verify your API key and ensure the account is "
    "active and able to process payments."
)
"""As document 004 recorded it; Chapa's older pages have "Invalid API Key or User doesn't exist"."""


class ApiError(Refusal):
    """An answer other than success. status: of the envelope, null only for a payment that is not paid yet."""

    def __init__(self, http: int, message: Message, *, status: str | None = "failed") -> None:
        super().__init__(message)
        self.http, self.message, self.status = http, message, status

    def answer(self) -> Response:
        return json_response(envelope(self.message, self.status, None), self.http)


def server_error(http: int) -> ApiError:
    """A server error of this HTTP status."""
    return ApiError(http, "Something went wrong. Please try again later.")


def rate_limited() -> ApiError:
    """Too many requests."""
    return ApiError(429, "Too Many Attempts.")


def invalid_key() -> ApiError:
    """The secret key is wrong."""
    return ApiError(401, INVALID_KEY)
