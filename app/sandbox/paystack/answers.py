"""How Paystack answers: one envelope, errors with a code and a next step, amounts as whole subunits."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from flask import Response, request

from app.sandbox.core import Sandbox
from app.sandbox.faults import faulty

SUBUNITS: Final = 100
"""A hundred subunits make one of every currency here, XOF and RWF too."""

MAX_SUBUNITS: Final = 10**14
INTEGRATION: Final = 428_000
FIRST_ID: Final = 4_100_000_000
"""Ids do not fit 32 bits, as the live ones."""

CHECK_PARAMETERS: Final = "Ensure that the parameters are valid and in the format the documentation shows."

View = Callable[..., Response]


def ok(message: str, data: object, *, http: int = 200, meta: Mapping[str, Any] | None = None) -> Response:
    """`status: true` says only that the call worked."""
    envelope = {"status": True, "message": message, "data": data}
    return _json(http, envelope if meta is None else envelope | {"meta": meta})


def refused(
    http: int, message: str, *, code: str, type: str = "validation_error", next_step: str = CHECK_PARAMETERS
) -> Response:
    return _json(
        http,
        {"status": False, "message": message, "meta": {"nextStep": next_step}, "type": type, "code": code},
    )


def invalid_key() -> Response:
    return _json(401, {"status": False, "message": "Invalid key"})


def server_error(http: int) -> Response:
    return refused(
        http,
        "An error occurred while processing your request.",
        code="unknown",
        type="api_error",
        next_step="Try again later.",
    )


def too_many() -> Response:
    return refused(
        429,
        "Too many requests",
        code="rate_limited",
        type="api_error",
        next_step="Wait a moment, then try again.",
    )


def not_found(what: str) -> Response:
    return refused(404, f"{what} not found", code="not_found", type="api_error")


def _json(http: int, envelope: Mapping[str, Any]) -> Response:
    return Response(json.dumps(envelope), status=http, mimetype="application/json")


def body() -> dict[str, Any]:
    """The request's JSON object; `{}` for anything else, so that every field is then missing."""
    parsed = request.get_json(silent=True) if request.is_json else None
    return parsed if isinstance(parsed, dict) else {}


def subunits(value: object) -> int | None:
    """A positive whole number, sent as a number or as its digits; else None. 100.0 and "1e3" are refused."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= MAX_SUBUNITS else None


def major(amount: int) -> Decimal:
    """Subunits as major units with two places, for the books, the pages and magic amounts."""
    return (Decimal(amount) / SUBUNITS).quantize(Decimal("0.01"))


def stamp(moment: datetime) -> str:
    """`2024-08-22T09:14:24.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> int:
    return FIRST_ID + secrets.randbelow(5 * 10**9)


def new_code(prefix: str) -> str:
    return prefix + secrets.token_hex(8)


def is_url(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://")) and " " not in value


def steered(sandbox: Sandbox, operation: str, *, has_magic: bool = True) -> Callable[[View], View]:
    """Decorator of a view whose faults are steered by the body's reference and, with `has_magic`, its amount."""

    def read() -> tuple[Decimal | None, str | None]:
        sent = body()
        amount = subunits(sent.get("amount")) if has_magic else None
        reference = sent.get("reference") or (request.view_args or {}).get("ref")
        return None if amount is None else major(amount), str(reference) if reference else None

    return faulty(
        sandbox, "paystack", operation, read, error=server_error, limited=too_many, expired=invalid_key
    )


def refusal_of_key(sandbox: Sandbox) -> Response | None:
    """The refusal of a call without the secret key; None when it may go on."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    right = sandbox.dashboard.credential("paystack", "secret_key")
    is_right = secrets.compare_digest(key.strip().encode(), right.encode())
    return None if scheme.lower() == "bearer" and is_right else invalid_key()
