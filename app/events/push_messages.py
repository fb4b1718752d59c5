"""What Socket.IO clients get: the `transaction` object made from an event's data, and the names of rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.clock import iso_z
from app.events.catalogue import CREDENTIAL_ENDING_EVENTS, PROVIDER_PAYMENT_EVENTS, WALLET_PAYMENT_EVENTS
from app.money import Money


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One Socket.IO event for every client in any of `rooms`; or CREDENTIALS_ENDED, which is for the servers alone."""

    event: str
    payload: dict[str, Any]
    rooms: tuple[str, ...]


PUSHED_EVENTS: Final = WALLET_PAYMENT_EVENTS | PROVIDER_PAYMENT_EVENTS
"""Events that cause a push; all of them are about one payment, and carry its state."""


TRANSACTION_UPDATE: Final = "transaction_update"

TRANSACTION_CHANGED: Final = "transaction_changed"
"""Says that a payment has changed, and nothing of what it holds."""

CREDENTIALS_ENDED: Final = "credentials_ended"
"""Has no rooms: a server that gets it checks its clients' credentials before it takes the next message."""


def transaction_of(object_id: str, data: Mapping[str, Any], *, updated_at: datetime) -> dict[str, Any]:
    """A wallet payment. `amount` is a JSON number of major units here; in REST it is a string (docs/realtime.md)."""
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


def provider_transaction_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """A payment through a provider: the Transaction fields of docs/api/gateway.md, `amount` a JSON number here too."""
    if "version" not in data:
        # Written before payloads had versions, in this very spelling.
        rest = {name: value for name, value in data.items() if name not in ("amount_minor", "tenant_id")}
        return rest | {"amount": Money(data["amount_minor"], data["currency"]).as_number()}
    rest = {name: value for name, value in data.items() if name not in _NOT_PUSHED}
    if data["version"] == 2:
        del rest["failure_code"]
    reviews = data["reviews"]
    transaction = rest | {
        "amount": Money(data["amount_minor"], data["currency"]).as_number(),
        # Only while the customer can still go there.
        "payment_url": data["payment_url"] if data["status"] in ("pending", "processing") else None,
        "refunded_amount": str(Money(data["refunded_minor"], data["currency"])),
        "review": reviews[0] if reviews else None,
    }
    return transaction | {"refund": _refund_of(data["refund"])} if "refund" in data else transaction


_NOT_PUSHED: Final = frozenset(
    {
        "version",
        "tenant_id",
        "amount_minor",
        "refunded_minor",
        "refund",
        "api",
        "order_id",
        "provider_failure_code",
    }
)


_NOT_PUSHED_OF_REFUNDS: Final = frozenset({"amount_minor", "state", "provider_failure_code"})


def _refund_of(data: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in data.items() if name not in _NOT_PUSHED_OF_REFUNDS}
    is_final = data["state"] in ("completed", "failed")
    return rest | {
        "amount": str(Money(data["amount_minor"], data["currency"])),
        "status": data["state"] if is_final else "processing",
    }


def push_of(
    event_type: str,
    object_id: str,
    data: Mapping[str, Any],
    *,
    at: datetime,
    event_id: str | None,
    sequence: int | None,
) -> PushMessage | None:
    """The push an event causes, or None when it concerns neither a payment nor clients' credentials."""
    if event_type in CREDENTIAL_ENDING_EVENTS:
        return PushMessage(CREDENTIALS_ENDED, {"event_id": event_id, "sequence": sequence}, ())
    if event_type in WALLET_PAYMENT_EVENTS:
        transaction = transaction_of(object_id, data, updated_at=at)
        audience = [user_room(data["sender"]), user_room(data["recipient"])]
    elif event_type in PROVIDER_PAYMENT_EVENTS:
        transaction = provider_transaction_of(data) | {"id": object_id}
        customer_id = (data.get("customer") or {}).get("id")
        audience = [tenant_room(data["tenant_id"])]
        audience += [customer_room(data["tenant_id"], customer_id)] if customer_id else []
    else:
        return None
    payload = {
        "event_type": event_type,
        "transaction": transaction,
        "event_id": event_id,
        "sequence": sequence,
    }
    everybody = (transaction_room(object_id), *audience)
    return PushMessage(TRANSACTION_UPDATE, payload, tuple(dict.fromkeys(everybody)))


def hint_of(message: PushMessage) -> PushMessage | None:
    """The TRANSACTION_CHANGED that goes with a TRANSACTION_UPDATE; None for other messages."""
    rooms = message.rooms if message.event == TRANSACTION_UPDATE else ()
    public_id = next(
        (room.removeprefix(_TRANSACTION) for room in rooms if room.startswith(_TRANSACTION)), None
    )
    if public_id is None:
        return None
    return PushMessage(TRANSACTION_CHANGED, {"transaction_id": public_id}, (changes_room(public_id),))


# No two kinds of room share a prefix: a customer id chosen by a merchant can never name another room.
_TRANSACTION: Final = "transaction_"


def transaction_room(public_id: str) -> str:
    """The room of one payment, by the id its owner sees."""
    return f"{_TRANSACTION}{public_id}"


def changes_room(public_id: str) -> str:
    """The room of those who may know that a payment has changed, and not what it holds."""
    return f"changes_{public_id}"


def user_room(public_id: str) -> str:
    """The room of one user of the Wallet API (`usr_…`)."""
    return f"user_{public_id}"


def tenant_room(tenant_id: str) -> str:
    """The room of a merchant's backends: all of the merchant's payments."""
    return f"tenant_{tenant_id}"


def customer_room(tenant_id: str, customer_id: str) -> str:
    """The room of one customer of a tenant, by the id the merchant chose. It says nothing about any user."""
    return f"customer_{tenant_id}_{customer_id}"
