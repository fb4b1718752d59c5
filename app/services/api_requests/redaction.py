"""What of a body is kept: an allow-list of field names. A name that is not in it keeps its place, without its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from app.json_text import json_text
from app.services.customers.masking import masked

MAX_TEXT: Final = 4_096
"""Characters of a body that are kept."""

MAX_VALUE: Final = 200
MAX_ITEMS: Final = 20
MAX_DEPTH: Final = 6

WITHHELD: Final = "[not kept]"

_PLAIN: Final = frozenset(
    [
        "action",
        "amount",
        "api_version",
        "available",
        "available_amount",
        "balance",
        "brand",
        "cancelled_at",
        "code",
        "completed_at",
        "count",
        "created_at",
        "currency",
        "due_at",
        "error_code",
        "event",
        "event_id",
        "event_type",
        "expires_at",
        "failure_code",
        "failure_reason",
        "fee",
        "fee_amount",
        "field",
        "from",
        "has_more",
        "has_next",
        "held",
        "id",
        "is_default",
        "last4",
        "limit",
        "livemode",
        "method",
        "method_type",
        "net_amount",
        "number",
        "object",
        "order_id",
        "origin",
        "page",
        "payment_id",
        "payment_method",
        "payment_status",
        "per_page",
        "provider",
        "provider_transaction_id",
        "quantity",
        "refund_id",
        "refunded_amount",
        "reference",
        "requested_amount",
        "requested_currency",
        "required_approvals",
        "review",
        "retry_after",
        "sequence",
        "status",
        "success",
        "tenant_id",
        "to",
        "total",
        "total_pages",
        "transaction_id",
        "transaction_type",
        "type",
        "updated_at",
        "withdrawal_id",
    ]
)
_CONTAINERS: Final = frozenset(
    [
        "approvals",
        "customer",
        "data",
        "destination",
        "error",
        "errors",
        "fields",
        "items",
        "pagination",
        "payment",
        "payments",
        "refund",
        "refunds",
        "results",
        "reviews",
        "transaction",
        "wallet",
        "withdrawal",
    ]
)
_SENTENCES: Final = frozenset({"message", "detail", "error"})
"""The gateway's own, in answers."""

_MASKED: Final = frozenset({"phone", "phone_number", "email", "customer_email", "customer_phone"})


_AMOUNT: Final = re.compile("amount|balance|fee|held")
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z_]{2,12}_[0-9a-f]{24,32}")
_LONG_NUMBER: Final = re.compile(r"\d{7}|@")


def without_numbers(text: str) -> str:
    """The text, masked where it may hold a phone, an account number or an e-mail address: some ids of payment methods do."""
    return text if _ID.fullmatch(text) or not _LONG_NUMBER.search(text) else masked(text)


def kept(body: object, *, is_answer: bool) -> str | None:
    """The JSON text of what may be kept of a body, at most MAX_TEXT characters; None where there is no object."""
    if not isinstance(body, Mapping):
        return None
    allowed = _PLAIN | _SENTENCES if is_answer else _PLAIN
    return json_text(_object(body, allowed, MAX_DEPTH))[:MAX_TEXT]


def _object(value: Mapping[str, Any], allowed: frozenset[str], depth: int) -> dict[str, Any]:
    return {
        name[:MAX_VALUE]: _value(name, inner, allowed, depth)
        for name, inner in list(value.items())[: 2 * MAX_ITEMS]
    }


def _value(name: str, value: object, allowed: frozenset[str], depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping | list):
        return _container(value, allowed, depth - 1) if name in _CONTAINERS and depth else WITHHELD
    if name in _MASKED and isinstance(value, str):
        return masked(value[:MAX_VALUE])
    if name not in allowed:
        return WITHHELD
    if not isinstance(value, str):
        return value
    return value[:MAX_VALUE] if _AMOUNT.search(name) else without_numbers(value[:MAX_VALUE])


def _container(value: object, allowed: frozenset[str], depth: int) -> Any:
    if isinstance(value, Mapping):
        return _object(value, allowed, depth)
    assert isinstance(value, list)
    return [
        _object(item, allowed, depth) if isinstance(item, Mapping) else WITHHELD for item in value[:MAX_ITEMS]
    ]
