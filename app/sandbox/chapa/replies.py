"""How Chapa answers: one envelope, amounts as numbers in answers and as text in webhooks."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

CENT: Final = Decimal("0.01")


def success(message: str, data: object) -> dict[str, Any]:
    """The body of an answer that is no error."""
    return envelope(message, "success", data)


def envelope(message: object, status: str | None, data: object) -> dict[str, Any]:
    """The body of every answer."""
    return {"message": message, "status": status, "data": data}


def amount_text(amount: Decimal) -> str:
    """An amount in a webhook: `400.00`."""
    return str(amount.quantize(CENT))


def timestamp(moment: datetime) -> str:
    """`2023-02-02T07:05:23.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
