"""A wallet payment is completed by being published."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from app import ids
from app.clock import iso_z
from app.events.catalogue import EventType
from app.events.chain import Link
from app.events.reactions import FollowUp, Reaction
from app.services.wallets import functions


def _complete(cursor: Any, events: Sequence[Link], now: datetime) -> None:
    payments = [uuid.UUID(hex=event.object_id.removeprefix(ids.PAYMENT)) for event in events]
    functions.complete_payments(cursor, payments, now=now)


def _changes(now: datetime) -> dict[str, Any]:
    return {"status": "completed", "completed_at": iso_z(now)}


COMPLETION: Final = Reaction(
    frozenset({EventType.WALLET_PAYMENT_PENDING}),
    _complete,
    FollowUp(EventType.WALLET_PAYMENT_COMPLETED, _changes),
)
