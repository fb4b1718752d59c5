"""`{"status": "error", "message", "details"?}`: the Booking API's errors."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer."""
    body: dict[str, Any] = {"status": "error", "message": error.message}
    if error.details:
        body["details"] = error.details
    return body
