"""How Chapa answers: one envelope for everything, amounts as numbers here and as text in callbacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from flask import Response, request

from app import json_numbers
from app.sandbox.core import Sandbox
from app.sandbox.faults import faulty

Message = str | dict[str, list[str]]
"""A sentence, or `{field: ["validation.required", …]}`."""

CENT: Final = Decimal("0.01")


def success(message: str, data: object) -> Response:
    return _envelope(200, message, "success", data)


def failed(http: int, message: Message, *, status: str | None = "failed") -> Response:
    """`status` is null for a payment that is not paid yet, `failed` everywhere else."""
    return _envelope(http, message, status, None)


def server_error(http: int) -> Response:
    return failed(http, "Something went wrong. Please try again later.")


def too_many() -> Response:
    return failed(429, "Too Many Attempts.")


def invalid_key() -> Response:
    return failed(401, "Invalid API Key or User doesn't exist")


def _envelope(http: int, message: Message, status: str | None, data: object) -> Response:
    text = json.dumps({"message": message, "status": status, "data": data})
    return Response(text, status=http, mimetype="application/json")


def number(amount: Decimal) -> int | float:
    """As `verify` prints amounts: 100, 3.5."""
    return json_numbers.plain(amount)


def text(amount: Decimal) -> str:
    """As callbacks print amounts: `400.00`."""
    return str(amount.quantize(CENT))


def stamp(moment: datetime) -> str:
    """`2023-02-02T07:05:23.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def amount_of(value: object) -> Decimal | None:
    """A positive amount in major units, sent as number or text, with at most two decimals; else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount <= 0 or amount.adjusted() > 12:
        return None
    return amount if amount == amount.quantize(CENT) else None


def body() -> dict[str, Any]:
    """The request's JSON object or form; `{}` for anything unreadable, so that every field is then missing."""
    if request.is_json:
        parsed = request.get_json(silent=True)
        return parsed if isinstance(parsed, dict) else {}
    fields: dict[str, Any] = {}
    for name, value in request.form.items():
        outer, bracket, inner = name.partition("[")
        if bracket:
            fields.setdefault(outer, {})[inner.rstrip("]")] = value
        else:
            fields[name] = value
    return fields


def steered(
    sandbox: Sandbox, operation: str, reference: str
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Decorator of a view whose faults are steered by the body's amount and its member `reference`."""

    def read() -> tuple[Decimal | None, str | None]:
        sent = body()
        return amount_of(sent.get("amount")), str(sent.get(reference) or "") or None

    return faulty(
        sandbox, "chapa", operation, read, error=server_error, limited=too_many, expired=invalid_key
    )


def steered_by_path(
    sandbox: Sandbox, operation: str
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Decorator of a view about one `ref` of its path. The amount steers nothing: it was the charge's."""

    def read() -> tuple[Decimal | None, str | None]:
        return None, str((request.view_args or {}).get("ref", "")) or None

    return faulty(
        sandbox, "chapa", operation, read, error=server_error, limited=too_many, expired=invalid_key
    )
