"""`{"status": "error", "message", "details"?}`: the Booking API's errors. `details` is a text for engineers."""

from __future__ import annotations

from typing import Any

from app.errors import GatewayError


def render(error: GatewayError) -> dict[str, Any]:
    """The body of an error answer."""
    body: dict[str, Any] = {"status": "error", "message": error.message}
    if (reason := error.details.get("reason")) is not None:
        body["details"] = reason
    elif (request_id := error.details.get("request_id")) is not None:
        body["details"] = f"request_id: {request_id}"
    return body
