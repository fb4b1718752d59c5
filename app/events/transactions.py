"""The `transaction` object that Socket.IO clients get, made from an event's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.clock import iso_z
from app.events import rooms
from app.events.catalogue import WALLET_PAYMENT_EVENTS
from app.money import Money


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One Socket.IO event for every client in any of `rooms`."""

    event: str
    payload: dict[str, Any]
    rooms: tuple[str, ...]


def transaction_of(object_id: str, data: Mapping[str, Any], *, updated_at: datetime) -> dict[str, Any]:
    """`amount` is a JSON number of major units here (CONTRACT, Socket.IO), unlike the strings of the REST answers."""
    rest = {
        name: value for name, value in data.items() if name not in ("amount_minor", "sender", "recipient")
    }
    amount = Money(data["amount_minor"], data["currency"]).as_number()
    return {
        "id": object_id,
        "payment_id": object_id,
        "amount": amount,
        "updated_at": iso_z(updated_at),
    } | rest


def push_of(
    event_type: str,
    object_id: str,
    data: Mapping[str, Any],
    *,
    at: datetime,
    event_id: str | None,
    sequence: int | None,
) -> PushMessage | None:
    """The push an event causes, or None when it concerns no payment."""
    if event_type not in WALLET_PAYMENT_EVENTS:
        return None
    payload = {
        "event_type": event_type,
        "transaction": transaction_of(object_id, data, updated_at=at),
        "event_id": event_id,
        "sequence": sequence,
    }
    audience = (
        rooms.transaction_room(object_id),
        rooms.user_room(data["sender"]),
        rooms.user_room(data["recipient"]),
    )
    return PushMessage("transaction_update", payload, tuple(dict.fromkeys(audience)))
