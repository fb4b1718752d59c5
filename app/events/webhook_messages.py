"""What webhooks say: the message made from an event's data, and the types that merchants know.

It is made from the event alone, never from rows as they are later, so a message is the same bytes however often it is sent.
Payments are as the API shows them that they were made by: document 003's fields for the Processing API's, the Gateway API's for all
others; orders and withdrawals as the Tenant API shows them, payments between users as the Wallet API does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import orjson

from app import ids
from app.events.catalogue import WALLET_PAYMENT_EVENTS, EventType
from app.models.payment import MadeBy
from app.money import Money

API_VERSION: Final = "2024-01-15"
"""Of the messages' form, document 003's."""

TYPES: Final[Mapping[EventType, str]] = MappingProxyType(
    {
        EventType.PAYMENT_INITIATED: "payment.created",
        EventType.PAYMENT_PROCESSING: "payment.processing",
        EventType.PAYMENT_COMPLETED: "payment.completed",
        EventType.PAYMENT_FAILED: "payment.failed",
        EventType.PAYMENT_CANCELLED: "payment.cancelled",
        EventType.PAYMENT_REVERSED: "payment.reversed",
        EventType.REFUND_INITIATED: "refund.created",
        EventType.REFUND_COMPLETED: "refund.completed",
        EventType.REFUND_FAILED: "refund.failed",
        EventType.DISPUTE_OPENED: "dispute.opened",
        EventType.DISPUTE_UPDATED: "dispute.updated",
        EventType.DISPUTE_WON: "dispute.won",
        EventType.DISPUTE_LOST: "dispute.lost",
        EventType.DISPUTE_CLOSED: "dispute.closed",
        EventType.ORDER_CREATED: "order.created",
        EventType.ORDER_CANCELLED: "order.cancelled",
        EventType.WITHDRAWAL_INITIATED: "withdrawal.initiated",
        EventType.WITHDRAWAL_APPROVED: "withdrawal.approved",
        EventType.WITHDRAWAL_PROCESSING: "withdrawal.processing",
        EventType.WITHDRAWAL_COMPLETED: "withdrawal.completed",
        EventType.WITHDRAWAL_FAILED: "withdrawal.failed",
        EventType.WITHDRAWAL_CANCELED: "withdrawal.canceled",
        EventType.WEBHOOK_ENDPOINT_DISABLED: "webhook_endpoint.disabled",
        EventType.WALLET_PAYMENT_PENDING: "wallet_payment.pending",
        EventType.WALLET_PAYMENT_COMPLETED: "wallet_payment.completed",
        EventType.WALLET_PAYMENT_FAILED: "wallet_payment.failed",
    }
)
"""Types of events → those of webhooks. What is not here is not sent: docs/webhooks.md says why."""

CHOICES: Final = tuple(name for event, name in TYPES.items() if event not in WALLET_PAYMENT_EVENTS)
"""What a merchant's endpoint can ask for."""

PLATFORM_CHOICES: Final = tuple(TYPES[event] for event in TYPES if event in WALLET_PAYMENT_EVENTS)
"""What the platform's own can ask for: payments between users belong to no tenant."""

SIMULATED: Final = EventType.WEBHOOK_SIMULATED
"""Its data names the type that it is sent as, and what is in it."""

TESTED: Final = EventType.WEBHOOK_TESTED
"""Its data names the one endpoint that it is sent to."""

TEST_TYPE: Final = "webhook_endpoint.test"

SENT_EVENTS: Final = frozenset({*TYPES, SIMULATED, TESTED})


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as the log has it. public_id: `evt_…`."""

    public_id: str
    type: str
    object_id: str
    data: Mapping[str, Any]
    at: datetime


def type_of(event_type: str, data: Mapping[str, Any]) -> str | None:
    """The type that merchants know; None: it is not sent."""
    if event_type == SIMULATED:
        return str(data["type"])
    if event_type == TESTED:
        return TEST_TYPE
    return TYPES.get(EventType(event_type))


def id_of(event: LoggedEvent) -> str:
    """`evt_…`. A simulated event was named when it was requested, before it had a place in the log."""
    return event.object_id if event.type in (SIMULATED, TESTED) else event.public_id


def message_of(event: LoggedEvent, *, endpoints: int, is_production: bool) -> dict[str, Any]:
    """The event for merchants. endpoints: how many it is sent to. Only for SENT_EVENTS."""
    return {
        "id": id_of(event),
        "object": "event",
        "type": type_of(event.type, event.data),
        "api_version": API_VERSION,
        "created_at": _iso(event.at),
        # CPay, which makes every payment of the Processing API, moves no real money.
        "livemode": is_production
        and event.type not in (SIMULATED, TESTED)
        and not _is_processing(event.data),
        "pending_webhooks": endpoints,
        "data": _data_of(event),
    }


def body_of(event: LoggedEvent, *, endpoints: int, is_production: bool) -> bytes:
    """The bytes that are sent and signed."""
    return orjson.dumps(message_of(event, endpoints=endpoints, is_production=is_production))


def _data_of(event: LoggedEvent) -> Mapping[str, Any]:
    if event.type == SIMULATED:
        payload: Mapping[str, Any] = event.data["payload"]
        return payload
    noun = "webhook_endpoint" if event.type == TESTED else event.type.partition(".")[0]
    return _PRESENTERS[noun](event)


def _payment(event: LoggedEvent) -> dict[str, Any]:
    return {"payment": _payment_view(event.object_id, event.data)}


def _refund(event: LoggedEvent) -> dict[str, Any]:
    refund, is_processing = event.data["refund"], _is_processing(event.data)
    view = _processing_refund(refund, event.at) if is_processing else _gateway_refund(refund)
    return {"refund": view, "payment": _payment_view(event.object_id, event.data)}


def _payment_view(payment_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return (
        _processing_payment(payment_id, data) if _is_processing(data) else _gateway_payment(payment_id, data)
    )


def _is_processing(data: Mapping[str, Any]) -> bool:
    return data.get("api") == MadeBy.PROCESSING


def _processing_payment(payment_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": ids.short(ids.PROCESSING_PAYMENT, uuid.UUID(payment_id)),
        "object": "payment",
        "amount": Money(data["amount_minor"], data["currency"]).as_number(),
        "currency": data["currency"],
        "description": data["description"],
        "customer_email": data["customer"]["email"],
        "payment_method": data["payment_method"],
        "metadata": data["metadata"] or {},
        "status": data["status"],
        "created_at": _reformatted(data["created_at"]),
        "updated_at": _reformatted(data["updated_at"]),
        "idempotency_key": data["idempotency_key"] or None,
        "failure_reason": data["provider_failure_code"] or data["failure_code"],
        "refunded_amount": Money(data["refunded_minor"], data["currency"]).as_number(),
        "livemode": False,
    }


def _processing_refund(refund: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    return {
        "id": ids.short(ids.PROCESSING_REFUND, uuid.UUID(refund["id"])),
        "object": "refund",
        "payment_id": ids.short(ids.PROCESSING_PAYMENT, uuid.UUID(refund["payment_id"])),
        "amount": Money(refund["amount_minor"], refund["currency"]).as_number(),
        "reason": refund["reason"],
        "status": _refund_status(refund),
        "created_at": _reformatted(refund["created_at"]),
        "updated_at": _iso(at),
        "failure_reason": refund["provider_failure_code"] or refund["failure_code"],
    }


_GATEWAY_PAYMENT: Final = (
    *("idempotency_key", "provider", "provider_transaction_id", "currency", "status", "customer"),
    *("payment_method", "reference", "description", "metadata", "order_id", "failure_code", "failure_reason"),
    *("created_at", "updated_at", "completed_at"),
)
"""Members that the Gateway API shows as the event has them."""

_GATEWAY_REFUND: Final = (
    *("id", "payment_id", "currency", "reason", "origin", "provider_refund_id", "failure_code"),
    *("failure_reason", "created_at", "completed_at"),
)


def _gateway_payment(payment_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": payment_id,
        "amount": str(Money(data["amount_minor"], data["currency"])),
        "refunded_amount": str(Money(data.get("refunded_minor", 0), data["currency"])),
        "reviews": data.get("reviews", []),
    } | {name: data.get(name) for name in _GATEWAY_PAYMENT}


def _gateway_refund(refund: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "amount": str(Money(refund["amount_minor"], refund["currency"])),
        "status": _refund_status(refund),
    } | {name: refund.get(name) for name in _GATEWAY_REFUND}


def _dispute(event: LoggedEvent) -> dict[str, Any]:
    """As the Gateway API shows it: only its payments can be disputed."""
    dispute = event.data["dispute"]
    amounts = {
        name: str(Money(dispute[f"{name}_minor"], dispute["currency"])) for name in ("amount", "held", "owed")
    }
    shown = {name: dispute.get(name) for name in _DISPUTE}
    return {
        "dispute": {**shown, "status": dispute["state"], **amounts},
        "payment": _payment_view(event.object_id, event.data),
    }


_DISPUTE: Final = (
    *("id", "payment_id", "currency", "reason", "provider_dispute_id", "provider_status"),
    *("opened_at", "closed_at"),
)


def _refund_status(refund: Mapping[str, Any]) -> str:
    return str(refund["state"]) if refund["state"] in ("completed", "failed") else "processing"


def _order(event: LoggedEvent) -> dict[str, Any]:
    return {"order": _as_tenant_api(event, {})}


def _withdrawal(event: LoggedEvent) -> dict[str, Any]:
    return {"withdrawal": _as_tenant_api(event, {"net": "net_amount", "method": "method_type"})}


def _as_tenant_api(event: LoggedEvent, renamed: Mapping[str, str]) -> dict[str, Any]:
    """The event's data with document 002's names, and its amounts as numbers in major units."""
    currency = event.data["currency"]
    shown: dict[str, Any] = {"id": event.object_id}
    for name, value in event.data.items():
        plain = name.removesuffix("_minor")
        if name not in ("version", "tenant_id"):
            shown[renamed.get(plain, plain)] = value if plain == name else Money(value, currency).as_number()
    return shown


def _wallet_payment(event: LoggedEvent) -> dict[str, Any]:
    """Document 000's fields of a payment's status."""
    amount = str(Money(event.data["amount_minor"], event.data["currency"]))
    shown = {name: event.data.get(name) for name in _WALLET_PAYMENT}
    return {"payment": {"payment_id": event.object_id, "id": event.object_id, "amount": amount} | shown}


_WALLET_PAYMENT: Final = (
    *("status", "currency", "transaction_id", "source_wallet_id", "destination", "description", "metadata"),
    *("completed_at", "failure_reason"),
)


def _endpoint(event: LoggedEvent) -> dict[str, Any]:
    named = event.data.get("endpoint_id", event.object_id)
    return {
        "webhook_endpoint": {
            "id": ids.short(ids.WEBHOOK_ENDPOINT, uuid.UUID(named)),
            "url": event.data["url"],
            "disabled_because": event.data.get("because"),
        }
    }


_PRESENTERS: Final[Mapping[str, Callable[[LoggedEvent], dict[str, Any]]]] = MappingProxyType(
    {
        "payment": _payment,
        "refund": _refund,
        "dispute": _dispute,
        "order": _order,
        "withdrawal": _withdrawal,
        "webhook_endpoint": _endpoint,
        "wallet_payment": _wallet_payment,
    }
)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _reformatted(text: str) -> str:
    return _iso(datetime.fromisoformat(text))
